#include "at_exit.h"

#include <windows.h>

#include <cstdlib>

namespace daemoniker {

void RegisterAtExit(void (*clean_up)(), void (*last)()) {
  // Node unloads the addons of a worker thread when that ends, which runs what is registered here.
  // And code that a thread runs must stay.
  HMODULE self;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&RegisterAtExit), &self);
  std::atexit(last);
  std::atexit(clean_up);
}

}  // namespace daemoniker
