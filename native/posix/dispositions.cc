// Dispositions by sigaction(2).
#include "dispositions.h"

#include <csignal>

#include "pending.h"
#include "posix/handler.h"
#include "posix/siginfo.h"

namespace daemoniker::dispositions {
namespace {

struct Disposition {
  // As it was before we changed anything; and what our handler was then installed over, which is
  // the runtime's own handler if the runtime has been made to listen in between.
  struct sigaction saved;
  struct sigaction replaced;
  bool taken = false;
  // `saved` is what it was before any signal was taken, and not yet used.
  bool saved_before_all = false;
  // Another library's, which was found in place of ours and probably calls ours.
  struct sigaction foreign;
  bool has_foreign = false;
};

Disposition dispositions[kMaxSignal + 1];

bool SameHandler(const struct sigaction& one, const struct sigaction& other) {
  return (one.sa_flags & SA_SIGINFO) == (other.sa_flags & SA_SIGINFO) &&
         ((one.sa_flags & SA_SIGINFO) != 0 ? one.sa_sigaction == other.sa_sigaction
                                           : one.sa_handler == other.sa_handler);
}

struct sigaction Ours() {
  struct sigaction ours = {};
  ours.sa_sigaction = handler::Handle;
  ours.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  // Our handler is not interrupted by other signals. Faults of the code itself cannot wait.
  sigfillset(&ours.sa_mask);
  for (const int fault : {SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS, SIGTRAP}) {
    sigdelset(&ours.sa_mask, fault);
  }
  return ours;
}

bool IsOurs(const struct sigaction& action) { return SameHandler(action, Ours()); }

struct sigaction Default() {
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  return standard;
}

struct sigaction Current(int signum) {
  struct sigaction current;
  sigaction(signum, nullptr, &current);
  return current;
}

// A foreign handler that was left over ours may end in ours, which must not call it from there.
void SetFallbackUnlessItCallsUs(int signum, const struct sigaction& action) {
  const Disposition& disposition = dispositions[signum];
  if (disposition.has_foreign && SameHandler(action, disposition.foreign)) return;
  handler::SetFallback(signum, action);
}

void Save(int signum) {
  Disposition& disposition = dispositions[signum];
  disposition.saved = Current(signum);
  if (IsOurs(disposition.saved)) {
    // Somebody had saved our handler and put it back after stop(): not to be its own fallback.
    disposition.saved = handler::Fallback(signum);
    return;
  }
  SetFallbackUnlessItCallsUs(signum, disposition.saved);
  handler::WaitForOthers();
}

bool IsAnythingTaken() {
  for (const Disposition& disposition : dispositions) {
    if (disposition.taken) return true;
  }
  return false;
}

// A runtime may change the dispositions of several signals when it first listens to one of them
// (Deno: SIGHUP, SIGINT and SIGTERM). So all are saved before that.
void SaveOnce(int signum) {
  if (!IsAnythingTaken()) {
    for (const int one : {SIGHUP, SIGINT, SIGTERM, SIGABRT}) {
      Save(one);
      dispositions[one].saved_before_all = true;
    }
  } else if (!dispositions[signum].saved_before_all || SameHandler(Current(signum), Default())) {
    // Also if it was somebody's by then and has been left since, which is as good as never.
    Save(signum);
  }
  dispositions[signum].saved_before_all = false;
}

// Whether what is in place is ours, or only there because the runtime has put it there over ours.
bool MayBeReplaced(const Disposition& disposition, const struct sigaction& current) {
  return IsOurs(current) || SameHandler(current, Default()) ||
         SameHandler(current, disposition.replaced) || SameHandler(current, disposition.saved);
}

struct sigaction ActionAfter(int signum, After after) {
  Disposition& disposition = dispositions[signum];
  const struct sigaction current = Current(signum);
  if (after == After::kAsItIs) return current;
  if (!IsOurs(current)) {
    disposition.foreign = current;
    disposition.has_foreign = true;
    return current;
  }
  switch (after) {
    case After::kRuntime:
      return disposition.replaced;
    case After::kDefault:
      return Default();
    default:
      return disposition.saved;
  }
}

}  // namespace

int Take(int signum, const Between& between) {
  Disposition& disposition = dispositions[signum];
  const bool was_taken = disposition.taken;
  const bool install = !was_taken || MayBeReplaced(disposition, Current(signum));
  if (!was_taken) {
    PrepareSenderNames();
    SaveOnce(signum);
  }
  if (!between() && !was_taken) {
    sigaction(signum, &disposition.saved, nullptr);
    return 0;
  }
  if (!install) return 0;
  handler::SetRecording(signum, true);
  const struct sigaction ours = Ours();
  struct sigaction before;
  // Cannot fail: EINVAL is for SIGKILL, SIGSTOP and numbers that are no signals (sigaction(2)).
  sigaction(signum, &ours, &before);
  if (!IsOurs(before)) disposition.replaced = before;
  disposition.taken = true;
  return 0;
}

void GiveBack(int signum, After after, const Between& between) {
  Disposition& disposition = dispositions[signum];
  if (!disposition.taken) {
    between();
    return;
  }
  // While our handler can still be told from a foreign one.
  const struct sigaction action = ActionAfter(signum, after);
  between();
  sigaction(signum, &action, nullptr);
  // For a handler that has begun on another thread and not yet looked whether it may record.
  SetFallbackUnlessItCallsUs(signum, action);
  disposition.taken = false;
  handler::SetRecording(signum, false);
  handler::WaitForOthers();
}

int Unreachable() { return 0; }

void GiveBackAtEnd() {
  for (int signum = 1; signum <= kMaxSignal; ++signum) {
    Disposition& disposition = dispositions[signum];
    if (!disposition.taken) continue;
    if (IsOurs(Current(signum))) sigaction(signum, &disposition.saved, nullptr);
    disposition.taken = false;
    handler::SetRecording(signum, false);
  }
  handler::WaitForOthersBriefly();
}

}  // namespace daemoniker::dispositions
