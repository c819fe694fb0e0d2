// Signals by sigaction(2).
//
// The handler may run on any thread: the kernel delivers a process-directed signal to whichever
// thread does not block it, V8's workers included (signal(7)). It only reads the clock, writes
// lock-free atomics and writes to the dispatcher's descriptor.
#include "signal_source.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>

#include "clock.h"
#include "dispatcher.h"
#include "posix/siginfo.h"

namespace daemoniker::signal_source {
namespace {

struct Disposition {
  // As it was before anything of ours: `saved`; after the runtime's own listener (the pin) was
  // added: `runtime`; what Restore() puts in place: `planned`.
  struct sigaction saved;
  struct sigaction runtime;
  struct sigaction planned;
  bool taken = false;
  // Somebody else's, which was found over ours and probably calls ours.
  struct sigaction foreign;
  bool has_foreign = false;
  // What a signal does that is not recorded. Two places, because a handler on another thread may
  // be reading the one while the other is written; nobody reads it any more once no recorder is
  // left, which Save() and Restore() wait for.
  struct sigaction fallbacks[2];
  std::atomic<const struct sigaction*> fallback{nullptr};
};

Disposition dispositions[kMaxSignal + 1];

std::atomic<bool> recording{false};
// Handlers that may still be about to record, or be reading what to do instead.
std::atomic<int> recorders{0};
// A child that was forked without exec(3) has our handler but not our threads.
std::atomic<pid_t> owner{0};

void SetFallback(Disposition* disposition, const struct sigaction& action) {
  struct sigaction* free_place = disposition->fallback.load() == &disposition->fallbacks[0]
                                     ? &disposition->fallbacks[1]
                                     : &disposition->fallbacks[0];
  *free_place = action;
  disposition->fallback.store(free_place);
}

// Does what would have happened without us. Async-signal-safe as far as the saved handler is.
void RunSavedDisposition(const struct sigaction& saved, int signum, siginfo_t* info,
                         void* context) {
  if ((saved.sa_flags & SA_SIGINFO) == 0 && saved.sa_handler == SIG_IGN) return;
  const bool is_default = (saved.sa_flags & SA_SIGINFO) == 0 && saved.sa_handler == SIG_DFL;
  if (is_default || (saved.sa_flags & SA_RESETHAND) != 0) {
    struct sigaction standard = {};
    standard.sa_handler = SIG_DFL;
    sigaction(signum, &standard, nullptr);
  }
  if (is_default) {
    // Blocked while its handler runs, so the default action takes place on return from here, with
    // the stack as it was: what a core dump should show.
    raise(signum);
  } else if ((saved.sa_flags & SA_SIGINFO) != 0) {
    saved.sa_sigaction(signum, info, context);
  } else {
    saved.sa_handler(signum);
  }
}

void Handle(int signum, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  recorders.fetch_add(1);
  if (recording.load() && getpid() == owner.load() && !IsAbortOfThisProcess(*info)) {
    Arrival arrival;
    arrival.signum = signum;
    arrival.wall_us = WallMicroseconds();
    arrival.steady_ns = SteadyNanoseconds();
    ReadSiginfo(*info, &arrival);
    RecordArrival(arrival);
    recorders.fetch_sub(1);
  } else {
    const struct sigaction saved = *dispositions[signum].fallback.load();
    recorders.fetch_sub(1);
    RunSavedDisposition(saved, signum, info, context);
  }
  errno = saved_errno;
}

bool IsOurs(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) != 0 && action.sa_sigaction == Handle;
}

bool SameHandler(const struct sigaction& one, const struct sigaction& other) {
  return (one.sa_flags & SA_SIGINFO) == (other.sa_flags & SA_SIGINFO) &&
         ((one.sa_flags & SA_SIGINFO) != 0 ? one.sa_sigaction == other.sa_sigaction
                                           : one.sa_handler == other.sa_handler);
}

// Each is a few instructions from its end, on another thread: this one cannot be inside Handle().
void WaitForRecorders() {
  while (recorders.load() != 0) sched_yield();
}

// The same where this thread can be: exit(3) may have been called by another signal's handler that
// interrupted Handle().
void WaitForRecordersBriefly() {
  for (int attempt = 0; attempt < 1000 && recorders.load() != 0; ++attempt) sched_yield();
}

void PutBackWhatIsOurs() {
  for (int signum = 1; signum <= kMaxSignal; ++signum) {
    Disposition& disposition = dispositions[signum];
    if (!disposition.taken) continue;
    struct sigaction current;
    if (sigaction(signum, nullptr, &current) == 0 && IsOurs(current)) {
      sigaction(signum, &disposition.saved, nullptr);
    }
    disposition.taken = false;
  }
  recording.store(false);
}

}  // namespace

void Save(const std::vector<int>& signums) {
  for (const int signum : signums) {
    Disposition& disposition = dispositions[signum];
    sigaction(signum, nullptr, &disposition.saved);
    if (IsOurs(disposition.saved)) {
      // Somebody had saved our handler and put it back after stop(): not to be its own fallback.
      disposition.saved = *disposition.fallback.load();
      continue;
    }
    // A foreign handler that was left over ours may end in ours: must not be called from there.
    const bool may_call_us =
        disposition.has_foreign && SameHandler(disposition.saved, disposition.foreign);
    if (!may_call_us) SetFallback(&disposition, disposition.saved);
  }
  WaitForRecorders();
}

void Abandon(const std::vector<int>& signums) {
  for (const int signum : signums) {
    sigaction(signum, &dispositions[signum].saved, nullptr);
    dispositions[signum].taken = false;
  }
  recording.store(false);
  WaitForRecorders();
}

int Install(const std::vector<int>& signums) {
  struct sigaction ours = {};
  ours.sa_sigaction = Handle;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigemptyset(&ours.sa_mask);
  for (const int signum : signums) sigaddset(&ours.sa_mask, signum);

  owner.store(getpid());
  recording.store(true);
  for (const int signum : signums) {
    Disposition& disposition = dispositions[signum];
    // Cannot fail: EINVAL is for SIGKILL, SIGSTOP and numbers that are no signals (sigaction(2)).
    sigaction(signum, &ours, &disposition.runtime);
    disposition.taken = true;
  }
  return 0;
}

// Nobody waits for a handler here.
void SetIgnored(int, bool) {}

void PlanRestore(const std::vector<RestorePlan>& plan) {
  for (const RestorePlan& entry : plan) {
    Disposition& disposition = dispositions[entry.signum];
    struct sigaction current;
    sigaction(entry.signum, nullptr, &current);
    if (!IsOurs(current)) {
      // Whoever replaced us keeps it.
      disposition.planned = current;
      disposition.foreign = current;
      disposition.has_foreign = true;
    } else if (entry.runtime_listens) {
      disposition.planned = disposition.runtime;
    } else if (SameHandler(disposition.saved, disposition.runtime)) {
      // Somebody listened with process.on() before us and has left since: the runtime's handler
      // would swallow the signal.
      disposition.planned = {};
      disposition.planned.sa_handler = SIG_DFL;
    } else {
      disposition.planned = disposition.saved;
    }
  }
}

void Restore() {
  for (int signum = 1; signum <= kMaxSignal; ++signum) {
    Disposition& disposition = dispositions[signum];
    if (!disposition.taken) continue;
    sigaction(signum, &disposition.planned, nullptr);
    // For a handler that has begun on another thread and not yet looked whether it may record.
    const bool may_call_us =
        disposition.has_foreign && SameHandler(disposition.planned, disposition.foreign);
    if (!may_call_us) SetFallback(&disposition, disposition.planned);
    disposition.taken = false;
  }
  recording.store(false);
  WaitForRecorders();
}

void RestoreWithoutPlan() {
  PutBackWhatIsOurs();
  WaitForRecorders();
}

void RestoreAtExit() {
  PutBackWhatIsOurs();
  WaitForRecordersBriefly();
}

void DieBySignal(int signum) {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(signum, &standard, nullptr);
  sigset_t only_this;
  sigemptyset(&only_this);
  sigaddset(&only_this, signum);
  pthread_sigmask(SIG_UNBLOCK, &only_this, nullptr);
  raise(signum);
  // pid_namespaces(7): PID 1 of a container does not take default actions.
  _exit(128 + signum);
}

bool CanDieBySignal() { return getpid() != 1; }

}  // namespace daemoniker::signal_source
