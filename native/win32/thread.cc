#include "thread.h"

#include <process.h>
#include <windows.h>

#include "win32/error_codes.h"

namespace daemoniker {
namespace {

// Reserved and not committed: it costs addresses. Window procedures need more than our own code.
constexpr unsigned kStackSize = 512 * 1024;

unsigned __stdcall RunThread(void* thread) {
  static_cast<Thread*>(thread)->Run();
  return 0;
}

}  // namespace

int Thread::Start(void (*body)(void*), void* argument) {
  body_ = body;
  argument_ = argument;
  const uintptr_t thread = _beginthreadex(nullptr, kStackSize, RunThread, this,
                                          STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr);
  if (thread == 0) return uv::kEagain;
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
