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
  if (read_end_.load() != -1) return 0;
  const HANDLE event = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  if (event == nullptr) return LastUvError();
  notified_.store(false);
  read_end_.store(reinterpret_cast<intptr_t>(event));
  write_end_.store(reinterpret_cast<intptr_t>(event));
  return 0;
}

void Wakeup::Close() {
  write_end_.store(-1);
  const intptr_t event = read_end_.exchange(-1);
  if (event != -1) CloseHandle(Event(event));
}

void Wakeup::Notify() noexcept {
  if (notified_.exchange(true)) return;
  const intptr_t event = write_end_.load();
  if (event != -1) SetEvent(Event(event));
}

void Wakeup::Wait(int64_t timeout_ns) {
  const HANDLE event = Event(read_end_.load());
  if (timeout_ns < 0) {
    WaitForSingleObject(event, INFINITE);
  } else {
    const OwnedHandle timer(PreciseTimer(timeout_ns));
    const HANDLE handles[] = {event, timer.get()};
    const DWORD milliseconds = static_cast<DWORD>((timeout_ns + 999999) / 1000000);
    const DWORD woken = timer.valid() ? WaitForMultipleObjects(2, handles, FALSE, INFINITE)
                                      : WaitForSingleObject(event, milliseconds);
    if (woken != WAIT_OBJECT_0) return;
  }
  // An exchange and not a store: it makes visible what was recorded before a Notify() that saw
  // true.
  notified_.exchange(false);
}

}  // namespace daemoniker
