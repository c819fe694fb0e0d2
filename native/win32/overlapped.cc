#include "win32/overlapped.h"

namespace daemoniker {

DWORD AwaitIo(HANDLE file, OVERLAPPED* overlapped, BOOL started, DWORD timeout_ms, HANDLE stop,
              DWORD* transferred) {
  if (!started && GetLastError() != ERROR_IO_PENDING) return GetLastError();
  const HANDLE handles[] = {overlapped->hEvent, stop};
  const DWORD woken = WaitForMultipleObjects(stop == nullptr ? 1 : 2, handles, FALSE, timeout_ms);
  if (woken != WAIT_OBJECT_0) CancelIoEx(file, overlapped);
  // Waits for the end of the cancelling too: the buffers must stay until then (MSDN, CancelIoEx).
  // It may also have ended just before.
  if (GetOverlappedResult(file, overlapped, transferred, TRUE)) return ERROR_SUCCESS;
  const DWORD error = GetLastError();
  if (error != ERROR_OPERATION_ABORTED) return error;
  return woken == WAIT_TIMEOUT ? ERROR_TIMEOUT : ERROR_CANCELLED;
}

}  // namespace daemoniker
