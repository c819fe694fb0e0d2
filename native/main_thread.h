// What a platform must provide: what the main thread is doing, as another thread sees it. Allocates
// nothing and takes no lock.
//
//   native/linux/main_thread.cc    proc(5), CPU clocks
//   native/darwin/main_thread.cc   thread_info()
//   native/win32/main_thread.cc    nothing: Windows does not tell whether a thread waits for a CPU
#pragma once

#include <cstdint>

namespace daemoniker::main_thread {

// On the main thread, before anybody asks.
void Remember();

enum class State {
  kUnknown,
  kSleeping,  // it waits for something else than a CPU
  kRunnable,  // it runs, or would if it had a CPU
  kStopped,   // by a signal or a debugger
};

struct Look {
  State state = State::kUnknown;
  int64_t cpu_ns = 0;  // that it has used so far
};
Look LookAtIt();

// How long the calling thread has waited for a CPU so far, in nanoseconds; -1 when that is not
// known.
int64_t WaitedForCpu();

}  // namespace daemoniker::main_thread
