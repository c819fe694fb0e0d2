#include "end.h"

#include <windows.h>

#include <cstdlib>

#include "at_exit.h"

namespace daemoniker::end {

void RegisterAtExit(void (*clean_up)(), void (*last)()) {
  // Node unloads the addons of a worker thread when that ends, which runs what is registered here.
  // And code that a thread runs must stay.
  HMODULE self;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&RegisterAtExit), &self);
  std::atexit(last);
  std::atexit(clean_up);
}

void BySignal(int signum) noexcept {
  // Unlike ExitProcess() it does not wait for locks that another thread may hold.
  TerminateProcess(GetCurrentProcess(), static_cast<UINT>(128 + signum));
  // Does not return for the current process; the compiler is not told so.
  for (;;) Sleep(INFINITE);
}

bool CanDieBySignal() { return false; }

// A console gets its mode back from its host.
void PrepareTerminalReset() {}
void ResetTerminal() noexcept {}

}  // namespace daemoniker::end
