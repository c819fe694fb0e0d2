#include "watcher.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "clock.h"
#include "end.h"
#include "main_thread.h"
#include "messenger.h"
#include "pending.h"
#include "pid_file_claims.h"
#include "shutdown.h"
#include "thread.h"
#include "wakeup.h"

namespace daemoniker::watcher {
namespace {

constexpr int64_t kLongestSlice = 25 * kMillisecond;
constexpr int64_t kShortestSlice = kMillisecond;
constexpr int64_t kForEver = -1;
// What the messenger gets to say what happened.
constexpr int64_t kPatience = 100 * kMillisecond;

Thread thread;
Wakeup wakeup;
std::atomic<bool> quit{false};

struct SignalLimit {
  std::atomic<int64_t> limit_ns{0};
  std::atomic<int64_t> set_at_ns{0};
};
SignalLimit signal_limits[kMaxSignal + 1];
std::atomic<uint64_t> limited{0};  // as PendingSignals::Waiting()

// Set before the signal can arrive, and never changed.
char signal_names[kMaxSignal + 1][16];

// What SetExitLimit() has asked for last. `generation` is changed last when it is set, and first
// when it is taken back.
constexpr uint64_t kNone = 0;
constexpr uint64_t kPassed = ~uint64_t{0};  // for ever: the process ends now
struct {
  std::atomic<uint64_t> generation{kNone};
  std::atomic<int64_t> limit_ns{0};
  std::atomic<int64_t> set_at_ns{0};
  std::atomic<int> signum{0};
  // An earlier end that was set before stays.
  std::atomic<bool> only_shortens{false};
  // The generation that the thread knows of.
  std::atomic<uint64_t> seen{kNone};
} exit_limit;
uint64_t last_generation = kNone;  // main thread only

// ---- How time is counted: the thread's own ----

// How much of a limit is left. `id` and `since_ns` tell one use of it from the next.
struct Use {
  uint64_t id = 0;
  int64_t since_ns = 0;
  int64_t limit_ns = 0;
  int64_t left_ns = 0;
};
Use signal_uses[kMaxSignal + 1];
Use exit_use;
Use shutdown_use;

// The time since the last look.
struct Elapsed {
  int64_t now_ns = 0;
  int64_t wall_ns = 0;  // in which the process was not stopped
  int64_t main_ns = 0;  // in which the main thread could run
};

// Time in which the process was stopped (SIGSTOP, a freezer, a suspended machine) cannot be seen
// directly. What can: this thread asked to sleep for a while, and woke later. For as much of that
// as it was waiting for a CPU the process was just short of CPU time; the rest, but for the usual
// lateness, it was stopped.
class Clock {
 public:
  Elapsed Look(int64_t asked_ns, bool at_main_thread) {
    Elapsed elapsed;
    elapsed.now_ns = SteadyNanoseconds();
    const int64_t waited_ns = main_thread::WaitedForCpu();
    const int64_t late_ns =
        waited_ns < 0 ? kLatenessWithoutAReason : std::max<int64_t>(0, waited_ns - waited_ns_);
    const int64_t on_time_ns = asked_ns + kUsualLateness;
    elapsed.wall_ns = std::min(elapsed.now_ns - now_ns_, on_time_ns + late_ns);
    now_ns_ = elapsed.now_ns;
    waited_ns_ = waited_ns;
    elapsed.main_ns = at_main_thread
                          ? LookAtMainThread(elapsed.wall_ns, std::min(elapsed.wall_ns, on_time_ns))
                          : 0;
    return elapsed;
  }

 private:
  // Of a timer, and of a CPU that has to wake up, which a virtual machine makes longer.
  static constexpr int64_t kUsualLateness = 4 * kMillisecond;
  // Where the system does not say what a thread waited for.
  static constexpr int64_t kLatenessWithoutAReason = 25 * kMillisecond;

  // A main thread that waits for a CPU, under a quota or on a busy machine, is not stuck. Nor is
  // one that sleeps while the messenger waits for one, as this thread did when it was late.
  int64_t LookAtMainThread(int64_t wall_ns, int64_t on_time_ns) {
    const main_thread::Look look = main_thread::LookAtIt();
    const int64_t ran_ns = std::clamp<int64_t>(look.cpu_ns - main_cpu_ns_, 0, wall_ns);
    main_cpu_ns_ = look.cpu_ns;
    switch (look.state) {
      case main_thread::State::kRunnable:
        return ran_ns;
      case main_thread::State::kStopped:
        return 0;
      default:
        return on_time_ns;
    }
  }

  int64_t now_ns_ = 0;
  int64_t waited_ns_ = 0;
  int64_t main_cpu_ns_ = 0;
};

bool HasExitLimit() { return exit_limit.generation.load(std::memory_order_acquire) != kNone; }

// Takes a slice off a use, which may be a new one that began within the slice.
void Count(Use* use, uint64_t id, int64_t since_ns, int64_t limit_ns, int64_t slice_ns,
           int64_t now_ns) {
  if (use->id != id || use->since_ns != since_ns) {
    *use = {id, since_ns, limit_ns, limit_ns};
    slice_ns = std::min(slice_ns, std::max<int64_t>(0, now_ns - since_ns));
  }
  use->left_ns -= slice_ns;
}

// ---- The end ----

// As timeout(1), so that supervisors see a failure; they take death by SIGTERM for a clean stop.
constexpr int kShutdownFailed = 124;

char line[256];

// Writes a text into `line`, behind what is there.
template <typename... Values>
void Say(const char* format, Values... values) {
  const size_t length = std::strlen(line);
  std::snprintf(line + length, sizeof line - length, format, values...);
}

void Say(const char* text) { Say("%s", text); }

long long Milliseconds(int64_t nanoseconds) {
  return static_cast<long long>(nanoseconds / kMillisecond);
}

// "300 ms", "10 s", "7.2 s".
void SayTime(int64_t nanoseconds) {
  const long long tenths = Milliseconds(nanoseconds) / 100;
  if (tenths < 10) {
    Say("%lld ms", Milliseconds(nanoseconds));
  } else if (tenths % 10 == 0) {
    Say("%lld s", tenths / 10);
  } else {
    Say("%lld.%lld s", tenths / 10, tenths % 10);
  }
}

void SayProgress() {
  const shutdown::Progress progress = shutdown::LookAtProgress();
  if (!progress.is_seen) {
    Say("; it has not begun, because the event loop is blocked");
  } else if (progress.running[0] == '\0') {
    Say("; all its hooks have run");
  } else {
    Say("; still running: %s (", progress.running);
    SayTime(SteadyNanoseconds() - progress.since_ns);
    Say(")");
  }
}

// By the signal, or, 0, because the shutdown has failed.
[[noreturn]] void End(int signum, messenger::Detail detail) {
  messenger::Explain(line, detail);
  // In slices: where the process is short of CPU time this thread wakes late, as the messenger
  // does.
  for (int64_t left_ns = kPatience; left_ns > 0; left_ns -= kLongestSlice) {
    if (messenger::AwaitExplanation(kLongestSlice)) break;
  }
  if (messenger::ClaimLine()) {
    standard_error::WriteOrSkip(line);
    standard_error::WriteOrSkip("\n");
  }
  PidFileClaims::Instance().RemoveAtOnce();
  end::ResetTerminal();
  if (signum == 0) end::WithStatus(kShutdownFailed);
  end::BySignal(signum);
}

[[noreturn]] void EndUnhandled(const Arrival& arrival, int64_t blocked_ns) {
  Say("daemoniker: %s", signal_names[arrival.signum]);
  if (arrival.sender_pid > 0) {
    Name name = {};
    pending.ReadName(arrival.signum, arrival.sequence, name);
    Say(name[0] != '\0' ? " from pid %lld (%s)" : " from pid %lld",
        static_cast<long long>(arrival.sender_pid), name);
  }
  Say(" was not handled within its deadline: the event loop has been blocked for %lld ms; ending "
      "the process",
      Milliseconds(blocked_ns));
  End(shutdown::Condemn() ? 0 : arrival.signum, messenger::Detail::kStack);
}

[[noreturn]] void EndExit(int64_t limit_ns, int signum) {
  Say("daemoniker: the process did not exit within %lld ms", Milliseconds(limit_ns));
  if (shutdown::Condemn()) {
    SayProgress();
    End(0, messenger::Detail::kStackIfStuck);
  }
  Say("; terminating it with %s", signal_names[signum]);
  End(signum, messenger::Detail::kStackIfStuckElseOpen);
}

[[noreturn]] void EndShutdown(int64_t limit_ns) {
  Say("daemoniker: shutdown took longer than ");
  SayTime(limit_ns);
  SayProgress();
  End(0, messenger::Detail::kStackIfStuck);
}

[[noreturn]] void EndImpatiently(int signum) {
  Say("daemoniker: %s came again during the shutdown", signal_names[signum]);
  SayProgress();
  End(signum, messenger::Detail::kStackIfStuck);
}

// ---- The thread ----

// What is left of the signal's limit, if something waits for it. Ends the process if nothing is.
int64_t LookAtSignal(int signum, const Elapsed& elapsed) {
  const SignalLimit& limit = signal_limits[signum];
  const int64_t limit_ns = limit.limit_ns.load(std::memory_order_acquire);
  Arrival arrival;
  if (limit_ns == 0 || !pending.Peek(signum, &arrival)) return kLongestSlice;
  const int64_t since_ns =
      std::max(arrival.steady_ns, limit.set_at_ns.load(std::memory_order_acquire));
  Use& use = signal_uses[signum];
  Count(&use, arrival.sequence, since_ns, limit_ns, elapsed.main_ns, elapsed.now_ns);
  if (use.left_ns <= 0 && pending.Condemn(signum, arrival.sequence)) {
    EndUnhandled(arrival, limit_ns - use.left_ns);
  }
  return use.left_ns;
}

// The same for the exit limit.
int64_t LookAtExit(const Elapsed& elapsed) {
  uint64_t generation = exit_limit.generation.load(std::memory_order_acquire);
  const int signum = exit_limit.signum.load(std::memory_order_acquire);
  const int64_t set_at_ns = exit_limit.set_at_ns.load(std::memory_order_acquire);
  const int64_t limit_ns = exit_limit.limit_ns.load(std::memory_order_acquire);
  const bool only_shortens = exit_limit.only_shortens.load(std::memory_order_acquire);
  if (generation == kNone || exit_limit.generation.load() != generation) {
    // None, or the main thread is just setting one. That will be compared with what is left here.
    exit_use.left_ns -= elapsed.wall_ns;
    return generation == kNone ? kLongestSlice : kShortestSlice;
  }
  Use earlier = exit_use;
  Count(&exit_use, generation, set_at_ns, limit_ns, elapsed.wall_ns, elapsed.now_ns);
  if (earlier.id != generation && only_shortens) {
    earlier.left_ns -= elapsed.wall_ns;
    if (earlier.left_ns < exit_use.left_ns) {
      exit_use.limit_ns = earlier.limit_ns;
      exit_use.left_ns = earlier.left_ns;
    }
  }
  exit_limit.seen.store(generation);
  if (exit_use.left_ns <= 0 && exit_limit.generation.compare_exchange_strong(generation, kPassed)) {
    EndExit(exit_use.limit_ns, signum);
  }
  return exit_use.left_ns;
}

// The same for the shutdown.
int64_t LookAtShutdown(const Elapsed& elapsed) {
  const shutdown::State state = shutdown::Look();
  if (state.begun_ns == 0) return kLongestSlice;
  if (state.ended_by != 0 && shutdown::Condemn()) EndImpatiently(state.ended_by);
  Count(&shutdown_use, 1, state.begun_ns, state.limit_ns, elapsed.wall_ns, elapsed.now_ns);
  // It may have been brought forward.
  shutdown_use.left_ns += state.limit_ns - shutdown_use.limit_ns;
  shutdown_use.limit_ns = state.limit_ns;
  if (shutdown_use.left_ns <= 0 && shutdown::Condemn()) EndShutdown(state.limit_ns);
  return shutdown_use.left_ns;
}

bool IsSomethingLimited() {
  return (limited.load(std::memory_order_acquire) & pending.Waiting()) != 0 || LimitsExit();
}

void Run(void*) {
  Clock clock;
  int64_t slice_ns = kLongestSlice;
  clock.Look(0, true);
  while (!quit.load()) {
    if (!IsSomethingLimited()) slice_ns = kForEver;
    wakeup.Wait(slice_ns);
    const uint64_t waiting = limited.load(std::memory_order_acquire) & pending.Waiting();
    const Elapsed elapsed = clock.Look(std::max<int64_t>(0, slice_ns), waiting != 0);
    slice_ns = kLongestSlice;
    PendingSignals::ForEach(
        waiting, [&](int signum) { slice_ns = std::min(slice_ns, LookAtSignal(signum, elapsed)); });
    slice_ns = std::min({slice_ns, LookAtExit(elapsed), LookAtShutdown(elapsed)});
    slice_ns = std::max(kShortestSlice, slice_ns);
  }
}

// Waits for the end of the process if the limit has passed: then it is too late to change it.
void TakeExitLimitBack() {
  uint64_t generation = exit_limit.generation.load();
  while (generation != kPassed) {
    if (exit_limit.generation.compare_exchange_weak(generation, kNone)) return;
  }
  end::Wait();
}

}  // namespace

int Start() {
  if (thread.started()) return 0;
  const int error = wakeup.Open();
  if (error != 0) return error;
  main_thread::Remember();
  quit.store(false);
  return thread.Start(Run, nullptr);
}

void Stop() {
  if (!thread.started()) return;
  TakeExitLimitBack();
  ClearSignalLimits();
  quit.store(true);
  wakeup.Notify();
  thread.Join();
}

void SetSignalName(int signum, const char* name) {
  char* place = signal_names[signum];
  if (place[0] == '\0') std::snprintf(place, sizeof signal_names[signum], "%s", name);
}

void SetSignalLimit(int signum, int64_t limit_ns) {
  SignalLimit& limit = signal_limits[signum];
  if (limit.limit_ns.load() == limit_ns) return;
  limit.set_at_ns.store(SteadyNanoseconds(), std::memory_order_release);
  limit.limit_ns.store(limit_ns, std::memory_order_release);
  const uint64_t bit = PendingSignals::BitOf(signum);
  if (limit_ns != 0) {
    limited.fetch_or(bit);
  } else {
    limited.fetch_and(~bit);
  }
  if ((pending.Waiting() & bit) != 0) wakeup.Notify();
}

void ClearSignalLimits() {
  PendingSignals::ForEach(limited.load(), [](int signum) { SetSignalLimit(signum, 0); });
}

void SetExitLimit(int64_t limit_ns, int signum, bool extend) {
  int64_t set_at_ns = SteadyNanoseconds();
  bool only_shortens = !extend && HasExitLimit();
  if (only_shortens && exit_limit.seen.load() != last_generation) {
    // The thread will never see what was set a moment ago.
    const int64_t earlier_limit_ns = exit_limit.limit_ns.load();
    const int64_t earlier_set_at_ns = exit_limit.set_at_ns.load();
    if (earlier_set_at_ns + earlier_limit_ns < set_at_ns + limit_ns) {
      limit_ns = earlier_limit_ns;
      set_at_ns = earlier_set_at_ns;
    }
    only_shortens = exit_limit.only_shortens.load();
  }
  TakeExitLimitBack();
  exit_limit.limit_ns.store(limit_ns);
  exit_limit.set_at_ns.store(set_at_ns);
  exit_limit.signum.store(signum);
  exit_limit.only_shortens.store(only_shortens);
  exit_limit.generation.store(++last_generation);
  wakeup.Notify();
}

void CancelExitLimit() { TakeExitLimitBack(); }

bool LimitsExit() { return HasExitLimit() || shutdown::HasBegun(); }

bool Limits(int signum) noexcept { return (limited.load() & PendingSignals::BitOf(signum)) != 0; }

void Notify() noexcept { wakeup.Notify(); }

}  // namespace daemoniker::watcher
