// Everything below JavaScript, with real signals and real threads, for the sanitizers:
// `stress SCENARIO`. Status 0 when all held. Run by scripts/test-sanitize.mjs.
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "clock.h"
#include "dispatcher.h"
#include "exit_watch.h"
#include "host.h"
#include "other_process.h"
#include "pid_file_claims.h"
#include "signal_source.h"

extern char** environ;

namespace {

using daemoniker::Dispatcher;
using daemoniker::ExitWatch;
using daemoniker::PidFileClaims;
namespace process = daemoniker::process;
namespace signal_source = daemoniker::signal_source;

const std::vector<int> kSignums = {SIGINT, SIGTERM, SIGUSR1};
constexpr int64_t kSecond = 1000 * 1000 * 1000;

#define EXPECT(condition)                                                                 \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: " #condition "\n", __FILE__, __LINE__); \
      _exit(1);                                                                           \
    }                                                                                     \
  } while (false)

std::atomic<uint64_t> sent[65];
uint64_t handled[65];  // main thread only

// What a signal does while we do not handle it: the program's own handler, and the runtime's, which
// lib/registry.ts has it install before ours ("pin").
std::atomic<uint64_t> left_to_others[65];
void OthersHandler(int signum) { left_to_others[signum].fetch_add(1); }
void RuntimesHandler(int signum) { left_to_others[signum].fetch_add(1); }

void InstallOthers(void (*handler)(int)) {
  for (const int signum : kSignums) {
    struct sigaction action = {};
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    sigaction(signum, &action, nullptr);
  }
}

// Threads that signal this process, and one another, as fast as they can.
class Senders {
 public:
  explicit Senders(int count) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([this, i] { Send(i); });
  }
  void Stop() {
    stop_.store(true);
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void Send(int number) {
    for (unsigned i = 0; !stop_.load(); ++i) {
      const int signum = kSignums[(i + number) % kSignums.size()];
      sent[signum].fetch_add(1);
      errno = 4711;
      if (i % 3 == 0) {
        pthread_kill(pthread_self(), signum);
      } else {
        kill(getpid(), signum);
      }
      EXPECT(errno == 4711);
      // A thread that does nothing but take signals would never get any further.
      if (i % 64 == 0) std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  }

  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// With the arguments of OnArrival in lib/native.ts.
host::Function on_arrival = [](const std::vector<double>& arguments) {
  const auto signum = static_cast<int>(arguments.at(0));
  const auto pid = static_cast<int64_t>(arguments.at(2));
  const auto wall_us = static_cast<int64_t>(arguments.at(4));
  const auto count = static_cast<uint64_t>(arguments.at(5));
  const auto sequence = static_cast<uint64_t>(arguments.at(6));
  EXPECT(count >= 1 && sequence >= 1);
  EXPECT(pid == getpid());
  handled[signum] += count;
  if (sequence % 128 == 0) Dispatcher::Instance().SenderCommand(sequence, pid, wall_us);
};

void DeliverOne() { Dispatcher::Deliver(host::Env(), host::ToFunction(&on_arrival)); }

// As lib/registry.ts does.
void Start() {
  EXPECT(Dispatcher::Instance().Start(host::Env(), host::ToFunction(&on_arrival)) == 0);
  signal_source::Save(kSignums);
  InstallOthers(RuntimesHandler);
  EXPECT(signal_source::Install(kSignums) == 0);
}

void Stop() {
  std::vector<daemoniker::RestorePlan> plan;
  for (const int signum : kSignums) plan.push_back({signum, false});
  signal_source::PlanRestore(plan);
  signal_source::Restore();
  Dispatcher::Instance().Stop();
  while (Dispatcher::Instance().Waiting() > 0) DeliverOne();
  host::Turn(0);
}

// The last signal of each kind is handled, although no other follows it.
void ExpectTheLastIsHandled() {
#ifdef __SANITIZE_THREAD__
  // Handlers that it runs late, one inside another's system call, leave the thread's mask full: it
  // keeps only one mask to go back to (tsan_interceptors_posix.cpp, ProcessPendingSignals()).
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_UNBLOCK, &all, nullptr);
#endif
  for (const int signum : kSignums) {
    const uint64_t before = handled[signum];
    sent[signum].fetch_add(1);
    kill(getpid(), signum);
    const int64_t give_up = daemoniker::SteadyNanoseconds() + 20 * kSecond;
    while (handled[signum] == before && daemoniker::SteadyNanoseconds() < give_up) host::Turn(10);
    EXPECT(handled[signum] > before);
  }
}

void ExpectNoMoreThanSent() {
  for (const int signum : kSignums) {
    EXPECT(handled[signum] > 0);
    EXPECT(handled[signum] + left_to_others[signum].load() <= sent[signum].load());
  }
}

// Signals on every thread while the main thread takes them and changes what it can.
void Storm() {
  Start();
  Senders senders(3);
  const int64_t end = daemoniker::SteadyNanoseconds() + 3 * kSecond;
  for (unsigned turn = 0; daemoniker::SteadyNanoseconds() < end; ++turn) {
    host::Turn(1);
    Dispatcher::Instance().SetSignalDeadline(SIGTERM, turn % 2 == 0 ? 60000 : 0);
    if (turn % 16 == 0) EXPECT(Dispatcher::Instance().SetExitDeadline(60000, SIGTERM) == 0);
    if (turn % 16 == 8) Dispatcher::Instance().CancelExitDeadline();
  }
  Dispatcher::Instance().CancelExitDeadline();
  senders.Stop();
  ExpectTheLastIsHandled();
  Stop();
  ExpectNoMoreThanSent();
}

// start() and stop() again and again under fire; in between the signals are others'.
void Restart() {
  InstallOthers(OthersHandler);
  Senders senders(3);
  for (int round = 0; round < 400; ++round) {
    Start();
    for (int turn = 0; turn < round % 4; ++turn) host::Turn(1);
    if (round % 5 == 0) EXPECT(Dispatcher::Instance().SetExitDeadline(60000, SIGTERM) == 0);
    Stop();
    Dispatcher::Instance().CancelExitDeadline();
  }
  senders.Stop();
  for (const int signum : kSignums) {
    struct sigaction action;
    sigaction(signum, nullptr, &action);
    EXPECT(action.sa_handler == OthersHandler);
  }
  Start();
  ExpectTheLastIsHandled();
  Stop();
  ExpectNoMoreThanSent();
}

// As a crash reporter does that was installed over ours and calls what it found.
struct sigaction beneath[65];
void Reporter(int signum, siginfo_t* info, void* context) {
  beneath[signum].sa_sigaction(signum, info, context);
}

// A foreign handler stays over ours, and leads to it also when nothing is recorded.
void Chained() {
  InstallOthers(OthersHandler);
  Start();
  for (const int signum : kSignums) {
    struct sigaction action = {};
    action.sa_sigaction = Reporter;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigaction(signum, nullptr, &beneath[signum]);
    sigaction(signum, &action, nullptr);
  }
  Senders senders(3);
  for (int round = 0; round < 400; ++round) {
    host::Turn(1);
    Stop();
    if (round % 3 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    Start();
  }
  senders.Stop();
  ExpectTheLastIsHandled();
  Stop();
  ExpectNoMoreThanSent();
}

// The environment ends while signals arrive, as when the event loop is torn down.
void Teardown() {
  InstallOthers(OthersHandler);
  Senders senders(2);
  for (int round = 0; round < 200; ++round) {
    Start();
    host::Turn(1);
    host::RunCleanupHooks();
    while (Dispatcher::Instance().Waiting() > 0) DeliverOne();
    host::Turn(0);
  }
  Dispatcher::Instance().LeaveJavaScriptAlone();
  senders.Stop();
}

// Threads that share PID files, as workers do.
void Claims() {
  char directory[] = "/tmp/daemoniker-stress-XXXXXX";
  EXPECT(mkdtemp(directory) != nullptr);
  const std::string content = std::to_string(getpid()) + "\n";
  std::atomic<int> claimed{0};
  std::atomic<int> shared{0};
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      PidFileClaims& claims = PidFileClaims::Instance();
      const int me = number;
      for (int round = 0; round < 1500; ++round) {
        const std::string path = directory + std::string(round % 2 == 0 ? "/a.pid" : "/b.pid");
        const PidFileClaims::Opened opened = claims.Open(path, &me);
        if (opened.error != 0) continue;  // created and deleted by the others meanwhile
        daemoniker::FileReport report;
        if (opened.shared) {
          EXPECT(claims.Report(opened.claim, &report) == 0 && report.content == content);
          ++shared;
        } else if (claims.TryLock(opened.claim) == daemoniker::LockState::kFree &&
                   claims.IsCurrent(opened.claim)) {
          EXPECT(claims.Write(opened.claim, content) == 0);
          claims.Confirm(opened.claim, true);
          ++claimed;
        }
        if ((round + number) % 3 == 0) std::this_thread::yield();
        if (round % 7 == 0) claims.ReleaseUnconfirmed(&me);  // as a worker that was terminated
        claims.Release(opened.claim, false);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT(claimed > 0 && shared > 0);
  PidFileClaims::Instance().ReleaseAll();
  unlink((directory + std::string("/a.pid")).c_str());
  unlink((directory + std::string("/b.pid")).c_str());
  EXPECT(rmdir(directory) == 0);
}

// Waits for the ends of other processes, some of them given up.
void Watches() {
  constexpr int kChildren = 8;
  for (int round = 0; round < 20; ++round) {
    int ended = 0;
    host::Function on_exit = [&](const std::vector<double>&) { ++ended; };
    std::vector<pid_t> pids;
    std::vector<ExitWatch*> watches;
    for (int i = 0; i < kChildren; ++i) {
      char name[] = "sleep";
      char seconds[] = "1000";
      char* arguments[] = {name, seconds, nullptr};
      pid_t pid;
      EXPECT(posix_spawnp(&pid, name, nullptr, nullptr, arguments, environ) == 0);
      pids.push_back(pid);
      process::Handle handle;
      EXPECT(process::Open(pid, &handle) == 0);
      process::Description description;
      EXPECT(process::Describe(pid, handle, &description) == 0);
      ExitWatch* watch = nullptr;
      EXPECT(ExitWatch::Start(host::Env(), pid, handle, description.started_at_ms,
                              host::ToFunction(&on_exit), &watch) == 0);
      watches.push_back(watch);
    }
    for (int i = 0; i < kChildren / 2; ++i) process::Signal(pids[i], process::kNoHandle, SIGKILL);
    const int64_t give_up = daemoniker::SteadyNanoseconds() + 20 * kSecond;
    while (ended < kChildren / 2 && daemoniker::SteadyNanoseconds() < give_up) host::Turn(10);
    EXPECT(ended == kChildren / 2);
    // Some end at the moment when they are given up.
    for (const pid_t pid : pids) kill(pid, SIGKILL);
    if (round % 2 == 0) {
      for (ExitWatch* watch : watches) watch->Stop();
    } else {
      host::RunCleanupHooks();
    }
    host::Turn(0);
    for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
  }
}

// Ends by SIGTERM, because the main thread does not come for it.
void Deadline() {
  Start();
  Dispatcher::Instance().SetSignalDeadline(SIGTERM, 100);
  kill(getpid(), SIGTERM);
  std::this_thread::sleep_for(std::chrono::seconds(20));
}

// Ends by SIGINT, because it does not exit in time.
void ExitDeadline() {
  Start();
  EXPECT(Dispatcher::Instance().SetExitDeadline(100, SIGINT) == 0);
  Stop();
  std::this_thread::sleep_for(std::chrono::seconds(20));
}

struct {
  const char* name;
  void (*run)();
} const kScenarios[] = {
    {"storm", Storm},       {"restart", Restart},
    {"chained", Chained},   {"teardown", Teardown},
    {"claims", Claims},     {"watches", Watches},
    {"deadline", Deadline}, {"exit-deadline", ExitDeadline},
};

}  // namespace

int main(int argc, char** argv) {
  for (const auto& scenario : kScenarios) {
    if (argc != 2 || std::strcmp(argv[1], scenario.name) != 0) continue;
    scenario.run();
    return 0;
  }
  std::fprintf(stderr, "usage: stress SCENARIO\n");
  return 2;
}
