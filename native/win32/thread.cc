#include "thread.h"

#include <process.h>
#include <windows.h>

#include "win32/error_codes.h"

namespace daemoniker {
namespace {

// Reserved and not committed: it costs addresses. Window procedures need more than our own code.
constexpr unsigned kStackSize = 512 * 1024;

struct StartArguments {
  void (*body)(void*);
  void* argument;
};

unsigned __stdcall Run(void* raw) {
  const StartArguments start = *static_cast<StartArguments*>(raw);
  delete static_cast<StartArguments*>(raw);
  start.body(start.argument);
  return 0;
}

}  // namespace

int Thread::Start(void (*body)(void*), void* argument) {
  auto* start = new StartArguments{body, argument};
  const uintptr_t thread =
      _beginthreadex(nullptr, kStackSize, Run, start, STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  if (thread == 0) {
    delete start;
    return uv::kEagain;
  }
  native_ = thread;
  started_ = true;
  return 0;
}

void Thread::Join() {
  if (!started_) return;
  started_ = false;
  const HANDLE thread = reinterpret_cast<HANDLE>(native_);
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
}

}  // namespace daemoniker
