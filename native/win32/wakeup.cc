#include "wakeup.h"

#include <windows.h>

#include "win32/error_codes.h"

namespace daemoniker {
namespace {

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION  // older SDKs
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 2
#endif

HANDLE Handle(const std::atomic<intptr_t>& stored) {
  return reinterpret_cast<HANDLE>(stored.load());
}

bool SetTimer(HANDLE timer, int64_t timeout_ns) {
  LARGE_INTEGER due;
  due.QuadPart = -(timeout_ns / 100);  // negative: from now on, in units of 100 ns
  if (due.QuadPart == 0) due.QuadPart = -1;
  return SetWaitableTimer(timer, &due, 0, nullptr, nullptr, FALSE) != FALSE;
}

}  // namespace

int Wakeup::Open() {
  if (native_.load() != 0) return 0;
  const HANDLE event = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  if (event == nullptr) return LastUvError();
  // A wait of WaitForSingleObject() ends with the next tick of the system clock, up to 15.6 ms
  // late: too late for a deadline. A timer of this kind is on time; there is none before Windows 10
  // 1803.
  const HANDLE timer = CreateWaitableTimerExW(
      nullptr, nullptr, CREATE_WAITABLE_TIMER_HIGH_RESOLUTION, TIMER_MODIFY_STATE | SYNCHRONIZE);
  timer_.store(reinterpret_cast<intptr_t>(timer));
  native_.store(reinterpret_cast<intptr_t>(event));
  return 0;
}

void Wakeup::Notify() noexcept {
  if (notified_.exchange(1) == 0) SetEvent(Handle(native_));
}

void Wakeup::Wait(int64_t timeout_ns) {
  const HANDLE handles[] = {Handle(native_), Handle(timer_)};
  if (timeout_ns < 0) {
    WaitForSingleObject(handles[0], INFINITE);
  } else if (handles[1] != nullptr && SetTimer(handles[1], timeout_ns)) {
    WaitForMultipleObjects(2, handles, FALSE, INFINITE);
  } else {
    WaitForSingleObject(handles[0], static_cast<DWORD>((timeout_ns + 999999) / 1000000));
  }
  // An exchange and not a store: it makes visible what was recorded before the Notify().
  notified_.exchange(0);
}

}  // namespace daemoniker
