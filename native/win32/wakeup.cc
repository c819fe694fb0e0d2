#include "wakeup.h"

#include <windows.h>

#include "win32/error_codes.h"
#include "win32/handle.h"

namespace daemoniker {
namespace {

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION  // older SDKs
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 2
#endif

HANDLE Event(intptr_t stored) { return reinterpret_cast<HANDLE>(stored); }

// Waits in WaitForSingleObject() end with the next tick of the system clock, up to 15.6 ms late:
// too late for a deadline. Windows 10 1803 has timers that are on time; this is only created while
// a deadline is armed.
HANDLE PreciseTimer(int64_t timeout_ns) {
  const HANDLE timer = CreateWaitableTimerExW(
      nullptr, nullptr, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_MODIFY_STATE | SYNCHRONIZE);
  if (timer == nullptr) return nullptr;
  LARGE_INTEGER due;
  due.QuadPart = -(timeout_ns / 100);  // negative: from now on, in units of 100 ns
  if (due.QuadPart == 0) due.QuadPart = -1;
  SetWaitableTimer(timer, &due, 0, nullptr, nullptr, FALSE);
  return timer;
}

}  // namespace

int Wakeup::Open() {
  if (native_.load() != 0) return 0;
  const HANDLE event = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  if (event == nullptr) return LastUvError();
  native_.store(reinterpret_cast<intptr_t>(event));
  return 0;
}

void Wakeup::Notify() noexcept {
  if (notified_.exchange(1) == 0) SetEvent(Event(native_.load()));
}

void Wakeup::Wait(int64_t timeout_ns) {
  const HANDLE event = Event(native_.load());
  if (timeout_ns < 0) {
    WaitForSingleObject(event, INFINITE);
  } else {
    const OwnedHandle timer(PreciseTimer(timeout_ns));
    const HANDLE handles[] = {event, timer.get()};
    const DWORD milliseconds = static_cast<DWORD>((timeout_ns + 999999) / 1000000);
    if (timer.valid()) {
      WaitForMultipleObjects(2, handles, FALSE, INFINITE);
    } else {
      WaitForSingleObject(event, milliseconds);
    }
  }
  // An exchange and not a store: it makes visible what was recorded before the Notify().
  notified_.exchange(0);
}

}  // namespace daemoniker
