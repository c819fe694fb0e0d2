#include "process_exit.h"

#include <windows.h>

#include "win32/error_codes.h"

namespace daemoniker {

int ProcessExit::Open(int64_t, process::Handle handle, double) {
  handle_ = handle;
  // It may have been opened without the right to wait (SYNCHRONIZE).
  if (WaitForSingleObject(reinterpret_cast<HANDLE>(handle), 0) == WAIT_FAILED) return LastUvError();
  const HANDLE event = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  if (event == nullptr) return LastUvError();
  cancel_ = reinterpret_cast<intptr_t>(event);
  return 0;
}

void ProcessExit::Close() {
  if (cancel_ != -1) CloseHandle(reinterpret_cast<HANDLE>(cancel_));
  cancel_ = -1;
}

bool ProcessExit::Wait(ExitStatus* status) {
  const HANDLE process = reinterpret_cast<HANDLE>(handle_);
  const HANDLE either[] = {reinterpret_cast<HANDLE>(cancel_), process};
  if (WaitForMultipleObjects(2, either, FALSE, INFINITE) != WAIT_OBJECT_0 + 1) return false;
  DWORD code = 0;
  if (GetExitCodeProcess(process, &code)) status->code = code;
  return true;
}

void ProcessExit::Cancel() { SetEvent(reinterpret_cast<HANDLE>(cancel_)); }

}  // namespace daemoniker
