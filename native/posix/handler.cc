// The signal handler. Everything here is async-signal-safe, and it may run on any thread: the
// kernel delivers a process-directed signal to whichever thread does not block it, V8's workers
// included (signal(7)).
//
// It records the arrival and wakes the messenger first, since everything else waits for that. Then
// it reads the sender's name, while the messenger wakes up: a sender that exits at once, as kill(1)
// does, is gone before any other thread could look.
#include "posix/handler.h"

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "clock.h"
#include "end.h"
#include "messenger.h"
#include "pending.h"
#include "posix/siginfo.h"
#include "shutdown.h"
#include "watcher.h"

namespace daemoniker::handler {
namespace {

struct Signal {
  std::atomic<bool> recording{false};
  // Two places, because a handler on another thread may be reading the one while the other is
  // written.
  struct sigaction fallbacks[2];
  std::atomic<const struct sigaction*> fallback{&fallbacks[0]};
};

Signal signals[kMaxSignal + 1];

// Handlers that may still be about to record, or be reading what to do instead.
std::atomic<int> others{0};

void Record(const siginfo_t& info, int signum) {
  Arrival arrival;
  arrival.signum = signum;
  arrival.wall_us = WallMicroseconds();
  arrival.steady_ns = SteadyNanoseconds();
  ReadSiginfo(info, &arrival);
  uint64_t sequence;
  {
    const shutdown::Arriving arriving;
    if (shutdown::NoteArrival(arrival)) watcher::Notify();
    sequence = pending.Record(arrival);
  }
  messenger::Notify();
  if (sequence == 0) return;
  if (arrival.sender_pid > 0) pending.NameSender(arrival, sequence, ReadSenderName);
  if (watcher::Limits(signum)) watcher::Notify();
}

// Does what would have happened without us. Async-signal-safe as far as the saved handler is.
void RunFallback(const struct sigaction& saved, int signum, siginfo_t* info, void* context) {
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
    RaiseOnThisThread(signum);
  } else if ((saved.sa_flags & SA_SIGINFO) != 0) {
    saved.sa_sigaction(signum, info, context);
  } else {
    saved.sa_handler(signum);
  }
}

}  // namespace

void Handle(int signum, siginfo_t* info, void* context) {
  const int saved_errno = errno;
  Signal& signal = signals[signum];
  // Before anything is written: a child of vfork(2) shares our memory and may end at any moment.
  const bool is_ours = end::InOwnProcess();
  if (is_ours) others.fetch_add(1);
  if (is_ours && signal.recording.load() && !IsAbortOfThisProcess(*info)) {
    Record(*info, signum);
    others.fetch_sub(1);
  } else {
    const struct sigaction saved = *signal.fallback.load();
    if (is_ours) others.fetch_sub(1);
    RunFallback(saved, signum, info, context);
  }
  errno = saved_errno;
}

void SetRecording(int signum, bool recording) { signals[signum].recording.store(recording); }

void SetFallback(int signum, const struct sigaction& action) {
  Signal& signal = signals[signum];
  struct sigaction* free_place =
      signal.fallback.load() == &signal.fallbacks[0] ? &signal.fallbacks[1] : &signal.fallbacks[0];
  *free_place = action;
  signal.fallback.store(free_place);
}

const struct sigaction& Fallback(int signum) { return *signals[signum].fallback.load(); }

// Each is a few system calls from its end.
void WaitForOthers() {
  while (others.load() != 0) sched_yield();
}

void WaitForOthersBriefly() {
  for (int attempt = 0; attempt < 1000 && others.load() != 0; ++attempt) sched_yield();
}

}  // namespace daemoniker::handler
