// Everything below JavaScript, with real signals and real threads, for the sanitizers:
// `stress SCENARIO`. Status 0 when all held. Run by scripts/test-sanitize.mjs.
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "clock.h"
#include "dispositions.h"
#include "end.h"
#include "exit_wait.h"
#include "host.h"
#include "messenger.h"
#include "other_process.h"
#include "pending.h"
#include "pid_file_claims.h"
#include "process_exit.h"
#include "shutdown.h"
#include "watcher.h"

extern char** environ;

namespace {

using daemoniker::Arrival;
using daemoniker::ExitWait;
using daemoniker::Name;
using daemoniker::PendingSignals;
using daemoniker::PidFileClaims;
namespace dispositions = daemoniker::dispositions;
namespace messenger = daemoniker::messenger;
namespace process = daemoniker::process;
namespace shutdown = daemoniker::shutdown;
namespace watcher = daemoniker::watcher;

const std::vector<int> kSignums = {SIGINT, SIGTERM, SIGUSR1};
constexpr int64_t kSecond = 1000 * 1000 * 1000;

#define EXPECT(condition)                                                                 \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      std::fprintf(stderr, "%s:%d: does not hold: " #condition "\n", __FILE__, __LINE__); \
      _exit(1);                                                                           \
    }                                                                                     \
  } while (false)

// Linux counts the slack of the timer (prctl(2), PR_SET_TIMERSLACK) in what it says is left of an
// interrupted nanosleep(2): with a signal every few microseconds std::this_thread::sleep_for()
// never returns.
void Sleep(int64_t microseconds) {
  struct timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  const int64_t nanoseconds = until.tv_nsec + microseconds * 1000;
  until.tv_sec += static_cast<time_t>(nanoseconds / kSecond);
  until.tv_nsec = static_cast<long>(nanoseconds % kSecond);
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) continue;
}

std::atomic<uint64_t> sent[65];
uint64_t handled[65];  // main thread only

// What a signal does while we do not handle it: the program's own handler, and the runtime's, which
// lib/registry.ts has it install before ours ("pin").
std::atomic<uint64_t> left_to_others[65];
void OthersHandler(int signum) { left_to_others[signum].fetch_add(1); }
void RuntimesHandler(int signum) { left_to_others[signum].fetch_add(1); }

void Install(int signum, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigaction(signum, &action, nullptr);
}

void InstallOthers() {
  for (const int signum : kSignums) Install(signum, OthersHandler);
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
      if (i % 64 == 0) Sleep(200);
    }
  }

  std::atomic<bool> stop_{false};
  std::vector<std::thread> threads_;
};

// What a sender's name is, if it is known at all.
std::map<pid_t, std::string> names;
uint64_t named = 0;

// With the arguments of OnArrival in lib/native.ts.
host::Function on_arrival = [](const std::vector<host::Value>& arguments) {
  const auto signum = static_cast<int>(arguments.at(0).number);
  if (signum == 0) return host::Value();  // nothing has arrived: messenger.cc, WarmUp()
  const auto pid = static_cast<pid_t>(arguments.at(2).number);
  const auto count = static_cast<uint64_t>(arguments.at(5).number);
  const auto sequence = static_cast<uint64_t>(arguments.at(6).number);
  EXPECT(count >= 1 && sequence >= 1);
  EXPECT(names.count(pid) == 1);
  handled[signum] += count;
  const host::Value& given = arguments.at(7);
  if (given.kind == host::Value::kText) EXPECT(given.text == names[pid]);
  // It may have come since, for as long as nothing else has.
  Name later = {};
  if (!daemoniker::pending.ReadName(signum, sequence, later) || later[0] == '\0') {
    return host::Value();
  }
  EXPECT(later == names[pid]);
  ++named;
  return host::Value();
};
host::Function describe_open = [](const std::vector<host::Value>&) {
  return host::Value{host::Value::kText, 0, "a timer"};
};

void DeliverOne() { messenger::Deliver(host::Env(), host::ToFunction(&on_arrival)); }

void DeliverWaiting() {
  while (daemoniker::pending.Waiting() != 0) DeliverOne();
}

// As native/addon.cc does.
int StartThreads(int env) {
  const int error = messenger::Start(host::Env(env), host::ToFunction(&on_arrival, env),
                                     host::ToFunction(&describe_open, env));
  return error != 0 ? error : watcher::Start();
}
void StopThreads() {
  watcher::ClearSignalLimits();
  if (watcher::LimitsExit()) return;
  watcher::Stop();
  messenger::Stop();
}
void CleanUpEnvironment() {
  dispositions::GiveBackAtEnd();
  watcher::ClearSignalLimits();
  if (!watcher::LimitsExit()) watcher::Stop();
  messenger::Stop();
}

void CleanUpAtExit() {
  messenger::LeaveJavaScriptAlone();
  ExitWait::LeaveJavaScriptAlone();
  PidFileClaims::Instance().ReleaseAll();
  dispositions::GiveBackAtEnd();
}

// As lib/registry.ts does.
void Start(int env = 0) {
  EXPECT(StartThreads(env) == 0);
  for (const int signum : kSignums) {
    const auto pin = [signum] {
      Install(signum, RuntimesHandler);
      return true;
    };
    EXPECT(dispositions::Take(signum, pin) == 0);
  }
}

void Stop() {
  for (const int signum : kSignums) {
    dispositions::GiveBack(signum, dispositions::After::kSaved, [] { return true; });
  }
  StopThreads();
  DeliverWaiting();
  host::Turn(0);
}

void CancelExitLimit() {
  watcher::CancelExitLimit();
  StopThreads();
}

// ThreadSanitizer runs some handlers late, one inside another's system call, and then leaves the
// thread's mask full: it keeps only one mask to go back to (tsan_interceptors_posix.cpp,
// ProcessPendingSignals()).
void UnblockAfterStorm() {
#ifdef __SANITIZE_THREAD__
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_UNBLOCK, &all, nullptr);
#endif
}

// The last signal of each kind is handled, although no other follows it.
void ExpectTheLastIsHandled() {
  UnblockAfterStorm();
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
    watcher::SetSignalLimit(SIGTERM, turn % 2 == 0 ? 60 * kSecond : 0);
    if (turn % 16 == 0) watcher::SetExitLimit(60 * kSecond, SIGTERM, false);
    if (turn % 16 == 8) watcher::CancelExitLimit();
  }
  watcher::CancelExitLimit();
  senders.Stop();
  ExpectTheLastIsHandled();
  Stop();
  ExpectNoMoreThanSent();
}

// start() and stop() again and again under fire; in between the signals are others'.
void Restart() {
  InstallOthers();
  Senders senders(3);
  for (int round = 0; round < 400; ++round) {
    Start();
    for (int turn = 0; turn < round % 4; ++turn) host::Turn(1);
    if (round % 5 == 0) watcher::SetExitLimit(60 * kSecond, SIGTERM, false);
    Stop();
    CancelExitLimit();
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
  InstallOthers();
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
    if (round % 3 == 0) Sleep(1000);
    Start();
  }
  senders.Stop();
  ExpectTheLastIsHandled();
  Stop();
  ExpectNoMoreThanSent();
}

// The environment ends while signals arrive, as when the event loop is torn down.
void Teardown() {
  InstallOthers();
  Senders senders(2);
  for (int round = 0; round < 200; ++round) {
    Start();
    host::Turn(1);
    host::RunCleanupHooks();
    DeliverWaiting();
    host::Turn(0);
  }
  messenger::LeaveJavaScriptAlone();
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
        EXPECT(opened.error == 0 && !opened.pending);
        daemoniker::FileReport report;
        if (opened.shared) {
          EXPECT(claims.Report(opened.claim, &report) == 0 && report.content == content);
          // The others get their turn before the next lock of this one puts it all in order.
          std::this_thread::yield();
          ++shared;
        } else {
          // No other thread has it, or can take it away: that one would have shared it, or waited.
          EXPECT(claims.TryLock(opened.claim) == daemoniker::LockState::kFree);
          EXPECT(claims.IsCurrent(opened.claim));
          bool won = false;
          const char* failed_call = nullptr;
          EXPECT(claims.Publish(opened.claim, content, "", &won, &failed_call) == 0 && won);
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
void Waits() {
  constexpr int kChildren = 8;
  for (int round = 0; round < 20; ++round) {
    int ended = 0;
    host::Function on_exit = [&](const std::vector<host::Value>&) {
      ++ended;
      return host::Value();
    };
    std::vector<pid_t> pids;
    std::vector<ExitWait*> waits;
    for (int i = 0; i < kChildren; ++i) {
      char name[] = "sleep";
      char seconds[] = "60";
      char* arguments[] = {name, seconds, nullptr};
      pid_t pid;
      EXPECT(posix_spawnp(&pid, name, nullptr, nullptr, arguments, environ) == 0);
      pids.push_back(pid);
      process::Handle handle;
      EXPECT(process::Open(pid, &handle) == 0);
      process::Description description;
      EXPECT(process::Describe(pid, handle, &description) == 0);
      ExitWait* wait = nullptr;
      EXPECT(ExitWait::Start(host::Env(), pid, handle, description.birth,
                             host::ToFunction(&on_exit), &wait) == 0);
      waits.push_back(wait);
    }
    for (int i = 0; i < kChildren / 2; ++i) process::Signal(pids[i], process::kNoHandle, SIGKILL);
    const int64_t give_up = daemoniker::SteadyNanoseconds() + 20 * kSecond;
    while (ended < kChildren / 2 && daemoniker::SteadyNanoseconds() < give_up) host::Turn(10);
    EXPECT(ended == kChildren / 2);
    // Some end at the moment when they are given up.
    for (const pid_t pid : pids) kill(pid, SIGKILL);
    if (round % 2 == 0) {
      for (ExitWait* wait : waits) wait->Stop();
    } else {
      host::RunCleanupHooks();
    }
    host::Turn(0);
    for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
  }
}

// Tells how a process has ended whose parent asks for its status at the same moment.
void Statuses() {
  constexpr int kRounds = 3000;
  int known = 0;
  for (int round = 0; round < kRounds; ++round) {
    const pid_t pid = fork();
    if (pid == 0) _exit(3);
    EXPECT(pid > 0);
    process::Handle handle;
    EXPECT(process::Open(pid, &handle) == 0);
    daemoniker::ProcessExit ending;
    daemoniker::ExitStatus status;
    EXPECT(ending.Open(pid, handle, 0) == 0);
    std::thread waits([&] { EXPECT(ending.Wait(&status)); });
    EXPECT(waitpid(pid, nullptr, 0) == pid);
    waits.join();
    EXPECT(status.signum == 0 && (status.code == 3 || status.code == -1));
    if (status.code == 3) ++known;
    ending.Close();
    process::Close(handle);
  }
  // None where the system does not tell.
  EXPECT(known == 0 || known == kRounds);
}

// How a sender that does not exist is called, and how that is to be read: with a '?' for the
// control character that some have.
void NameOf(int64_t pid, char control, Name& name) {
  for (size_t i = 0; i + 1 < sizeof name; ++i) {
    name[i] = static_cast<char>('a' + (pid * 7 + static_cast<int64_t>(i) * 3) % 26);
  }
  if (pid % 3 == 0) name[pid % 31] = control;
  name[sizeof name - 1] = '\0';
}

bool HasName(const PendingSignals& pending, const Arrival& arrival) {
  Name read = {};
  if (!pending.ReadName(arrival.signum, arrival.sequence, read)) return false;
  Name right;
  NameOf(arrival.sender_pid, '?', right);
  EXPECT(std::strcmp(read, right) == 0);
  return true;
}

void ExpectWhole(const Arrival& arrival) {
  EXPECT(arrival.sender_uid == arrival.sender_pid + 1);
  EXPECT(arrival.wall_us == arrival.steady_ns + arrival.sender_pid);
}

// What the handlers of three threads record while the main thread takes it and the watcher looks at
// it: fields that belong together, names that are nobody else's, and counts that add up.
void Pending() {
  static PendingSignals pending;
  std::atomic<bool> stop{false};
  std::atomic<int> recording{0};
  std::atomic<uint64_t> recorded{0};
  std::vector<std::thread> threads;
  const auto read = [](int64_t pid, Name& name) {
    NameOf(pid, '\x1b', name);
    // So that another thread's arrival comes meanwhile.
    if (pid % 8 == 0) std::this_thread::yield();
  };
  for (int number = 0; number < 3; ++number) {
    ++recording;
    threads.emplace_back([&, number] {
      Arrival arrival;
      arrival.signum = SIGTERM;
      for (int64_t i = 0; !stop.load(); ++i) {
        // Each comes twice, within and after the time for which its name is kept.
        arrival.sender_pid = 1 + number * 1000 + i / 2 % 1000;
        arrival.sender_uid = arrival.sender_pid + 1;
        arrival.steady_ns += i % 3 == 0 ? 200 * daemoniker::kMillisecond : 1;
        arrival.wall_us = arrival.steady_ns + arrival.sender_pid;
        const uint64_t sequence = pending.Record(arrival);
        recorded.fetch_add(1);
        if (sequence != 0) pending.NameSender(arrival, sequence, read);
        if (i % 4 == 0) std::this_thread::yield();
      }
      --recording;
    });
  }
  threads.emplace_back([&] {
    Arrival arrival;
    while (!stop.load()) {
      if (!pending.Peek(SIGTERM, &arrival)) continue;
      ExpectWhole(arrival);
      for (int i = 0; i < 50; ++i) HasName(pending, arrival);
    }
  });
  const int64_t end = daemoniker::SteadyNanoseconds() + 3 * kSecond;
  uint64_t taken = 0;
  Arrival arrival;
  for (bool is_last = false;;) {
    if (daemoniker::SteadyNanoseconds() > end) stop.store(true);
    if (!pending.Take(&arrival)) {
      if (is_last) break;
      is_last = recording.load() == 0;
      continue;
    }
    ExpectWhole(arrival);
    taken += arrival.count;
    // Its slot may be another's by now.
    for (unsigned i = 0; i < arrival.sequence % 8; ++i) {
      if (HasName(pending, arrival)) ++named;
    }
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT(taken == recorded.load());
  EXPECT(named > 0);
}

// An arrival is the main thread's or the watcher's, which ends the process for it, never both's.
void Condemned() {
  constexpr int kRounds = 5000;
  PendingSignals pending;
  uint64_t sequence = 0;
  bool condemned = false;
  std::atomic<int> begun{0};
  std::atomic<int> done{0};
  std::thread thread([&] {
    for (int round = 1; round <= kRounds; ++round) {
      while (begun.load() < round) continue;
      condemned = pending.Condemn(SIGTERM, sequence);
      done.store(round);
    }
  });
  Arrival arrival;
  int taken = 0;
  for (int round = 1; round <= kRounds; ++round) {
    arrival.signum = SIGTERM;
    sequence = (new (&pending) PendingSignals())->Record(arrival);
    begun.store(round);
    for (int i = 0; i < round % 32; ++i) begun.load();
    const bool is_taken = pending.Take(&arrival);
    while (done.load() < round) continue;
    EXPECT(is_taken != condemned);
    taken += is_taken ? 1 : 0;
  }
  thread.join();
  EXPECT(taken > 0 && taken < kRounds);
}

// Other processes signal this one, each under a name of its own.
void Names() {
  std::vector<pid_t> pids;
  const pid_t parent = getpid();
  InstallOthers();
  for (int i = 0; i < 4; ++i) {
    const std::string name = "sender-" + std::string(static_cast<size_t>(2 * i), 'x');
    const pid_t pid = fork();
    if (pid == 0) {
      prctl(PR_SET_NAME, name.c_str());
      for (unsigned sends = 0;; ++sends) {
        if (kill(parent, kSignums[sends % kSignums.size()]) != 0) _exit(0);
        if (sends % 16 == 0) usleep(500);
      }
    }
    EXPECT(pid > 0);
    pids.push_back(pid);
    names[pid] = name;
  }
  // Before it has its name it has ours.
  Sleep(200 * 1000);
  Start();
  const int64_t end = daemoniker::SteadyNanoseconds() + 3 * kSecond;
  while (daemoniker::SteadyNanoseconds() < end) {
    host::Turn(1);
    DeliverWaiting();
  }
  for (const pid_t pid : pids) kill(pid, SIGKILL);
  for (const pid_t pid : pids) waitpid(pid, nullptr, 0);
  Stop();
  EXPECT(named > 0);
}

// The main thread changes the exit limit while the watcher looks at it. Terminated by SIGTERM,
// because the shortest of the last ones passes.
void ExitLimits() {
  Start();
  const int64_t end = daemoniker::SteadyNanoseconds() + 3 * kSecond;
  for (unsigned turn = 0; daemoniker::SteadyNanoseconds() < end; ++turn) {
    watcher::SetExitLimit((60 - turn % 7) * kSecond, SIGTERM, turn % 3 == 0);
    EXPECT(watcher::LimitsExit());
    if (turn % 5 == 0) watcher::CancelExitLimit();
    if (turn % 64 == 0) {
      CancelExitLimit();
      EXPECT(!watcher::LimitsExit());
      EXPECT(StartThreads(0) == 0);
    }
    if (turn % 16 == 0) host::Turn(1);
  }
  watcher::SetExitLimit(kSecond / 2, SIGINT, true);
  unsigned turn = 0;
  const int64_t late = daemoniker::SteadyNanoseconds() + 20 * kSecond;
  while (daemoniker::SteadyNanoseconds() < late) {
    watcher::SetExitLimit(60 * kSecond, SIGTERM, false);
    // The thread that this has woken looks at it about now.
    const int64_t next = daemoniker::SteadyNanoseconds() + turn++ % 997 * 100;
    while (daemoniker::SteadyNanoseconds() < next) continue;
  }
}

// While one environment handles signals another cannot; after its end it can.
void Environments() {
  InstallOthers();
  Senders senders(2);
  for (int round = 0; round < 200; ++round) {
    const int one = round % 2;
    const int other = 1 - one;
    Start(one);
    EXPECT(StartThreads(one) == 0);
    EXPECT(StartThreads(other) == messenger::kOtherEnvironment);
    host::Turn(1);
    if (round % 3 == 0) {
      Stop();
    } else {
      host::RunCleanupHooks(one);
      DeliverWaiting();
    }
    host::RunCleanupHooks(other);
  }
  senders.Stop();
  Start(1);
  ExpectTheLastIsHandled();
  Stop();
  ExpectNoMoreThanSent();
}

// Terminated by SIGTERM, because the main thread does not come for it.
void Deadline() {
  Start();
  watcher::SetSignalLimit(SIGTERM, kSecond / 10);
  kill(getpid(), SIGTERM);
  Sleep(20 * 1000 * 1000);
}

// Terminated by SIGINT, because it does not exit in time.
void ExitDeadline() {
  Start();
  watcher::SetExitLimit(kSecond / 10, SIGINT, false);
  Stop();
  Sleep(20 * 1000 * 1000);
}

// Signals begin shutdowns while the main thread sees, names and finishes them. Ends with status
// 124, because the last one takes too long.
void Shutdowns() {
  Start();
  for (const int signum : kSignums) shutdown::SetRole(signum, true, false);
  shutdown::SetLimit(60 * kSecond);
  Senders senders(2);
  const int64_t end = daemoniker::SteadyNanoseconds() + 3 * kSecond;
  for (unsigned turn = 0; daemoniker::SteadyNanoseconds() < end; ++turn) {
    if (turn % 2 == 0) shutdown::Begin(60 * kSecond);
    shutdown::Running running = {};
    std::snprintf(running, sizeof running, "hook %u", turn % 1000);
    shutdown::SetRunning(running);
    watcher::Notify();
    if (turn % 3 == 0) shutdown::Finish();
    if (turn % 3 == 1) shutdown::FinishUnlessSeen();
    if (turn % 16 == 0) host::Turn(1);
  }
  senders.Stop();
  shutdown::SetLimit(kSecond / 10);
  DeliverWaiting();
  shutdown::Finish();
  UnblockAfterStorm();
  // Unless one of the senders' signals came as late as this, and has begun it.
  kill(getpid(), SIGTERM);
  watcher::Notify();
  Sleep(20 * 1000 * 1000);
}

struct {
  const char* name;
  void (*run)();
} const kScenarios[] = {
    {"storm", Storm},
    {"restart", Restart},
    {"chained", Chained},
    {"teardown", Teardown},
    {"claims", Claims},
    {"waits", Waits},
    {"statuses", Statuses},
    {"pending", Pending},
    {"condemned", Condemned},
    {"names", Names},
    {"environments", Environments},
    {"deadline", Deadline},
    {"exit-deadline", ExitDeadline},
    {"exit-limits", ExitLimits},
    {"shutdowns", Shutdowns},
};

}  // namespace

int main(int argc, char** argv) {
  names[getpid()] = "stress";
  daemoniker::end::Install(CleanUpAtExit);
  messenger::SetCleanUp(CleanUpEnvironment);
  for (const auto& scenario : kScenarios) {
    if (argc != 2 || std::strcmp(argv[1], scenario.name) != 0) continue;
    scenario.run();
    return 0;
  }
  std::fprintf(stderr, "usage: stress SCENARIO\n");
  return 2;
}
