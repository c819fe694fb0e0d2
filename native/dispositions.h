// What a platform must provide: taking a signal over, and giving it back.
//
//   native/posix/dispositions.cc   sigaction(2); which signals there are: native/linux/siginfo.cc,
//                                  native/darwin/siginfo.cc
//   native/win32/dispositions.cc   console control events, the session's end, the signal pipe
//
// Errors are libuv's numbers (negative, as in util.getSystemErrorName). Main thread only, but for
// GiveBackAtEnd().
#pragma once

#include <functional>

namespace daemoniker::dispositions {

// What JavaScript does in the middle of a transition: it adds or removes the listener that keeps
// the runtime from touching the disposition (lib/registry.ts, "pin"). False when that failed.
using Between = std::function<bool()>;

// From now on arrivals of `signum` are recorded. What it did before is saved, unless it is taken
// already: then it is made sure that it still is, unless somebody else's handler has replaced ours.
// When `between` fails, it is not taken, or still taken if it was. 0, or an error number.
int Take(int signum, const Between& between);

// What a signal does once it is not taken any more. The values stand in lib/native.ts as well.
enum class After {
  kSaved = 0,    // what Take() saved
  kRuntime = 1,  // the runtime's own handler, over which ours was installed
  kDefault = 2,  // the default action: what was saved is the runtime's handler, for nobody any more
  kAsItIs = 3,   // the runtime's own handler, which has replaced ours already
};

// Whoever else has replaced our handler meanwhile keeps it. Afterwards no arrival of the signal is
// recorded any more. Whether `between` succeeds makes no difference.
void GiveBack(int signum, After after, const Between& between);

// Why other processes cannot send to the handlers although they run, for as long as that is so: a
// libuv error number; 0 if they can. Never anything else on Unix.
int Unreachable();

// The numbers of real-time signals, which have no names: what SIGRTMIN and SIGRTMAX say, because
// the C library keeps some for itself. `last` is less than `first` where there are none.
struct Range {
  int first = 1;
  int last = 0;
};
Range RealTimeSignals();

// Gives back whatever is still taken, when the environment ends or at exit: without JavaScript, on
// any thread, and without waiting for another one for long.
void GiveBackAtEnd();

}  // namespace daemoniker::dispositions
