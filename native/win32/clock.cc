#include "clock.h"

#include <windows.h>

#include "main_thread.h"
#include "win32/file_time.h"

namespace daemoniker {
namespace {

using InterruptTime = void(WINAPI*)(PULONGLONG);

void WINAPI CoarseInterruptTime(PULONGLONG time) { QueryUnbiasedInterruptTime(time); }

// QueryUnbiasedInterruptTime() moves in steps of up to 15.6 ms, too coarse for deadlines. The
// precise one came with Windows 10 and is in no import library of older SDKs.
InterruptTime FindInterruptTime() {
  const HMODULE kernel = GetModuleHandleW(L"kernelbase.dll");
  const FARPROC precise =
      kernel == nullptr ? nullptr : GetProcAddress(kernel, "QueryUnbiasedInterruptTimePrecise");
  return precise == nullptr
             ? CoarseInterruptTime
             : reinterpret_cast<InterruptTime>(reinterpret_cast<void (*)()>(precise));
}

// When the addon is loaded: looking it up takes the loader's lock, which the watcher must not do.
const InterruptTime interrupt_time = FindInterruptTime();

}  // namespace

int64_t SteadyNanoseconds() noexcept {
  ULONGLONG hundreds_of_ns = 0;
  interrupt_time(&hundreds_of_ns);
  return static_cast<int64_t>(hundreds_of_ns) * 100;
}

int64_t WallMicroseconds() noexcept {
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  return MicrosecondsSinceEpoch(now);
}

}  // namespace daemoniker

// GetThreadTimes() tells how much CPU time the thread has used, but not whether it has used none
// because it sleeps or because it got no CPU. So all time counts; see docs/deadlines.md.
namespace daemoniker::main_thread {

void Remember() {}

Look LookAtIt() { return {}; }

int64_t WaitedForCpu() { return -1; }

}  // namespace daemoniker::main_thread
