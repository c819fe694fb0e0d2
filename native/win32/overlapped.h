// Asynchronous I/O that is waited for, for a limited time.
#pragma once

#include <windows.h>

namespace daemoniker {

// `started` is what ReadFile() and its like returned; `done` is the event in `overlapped`. Waits
// for the end, for `timeout_ms`, or for `stop` (may be null), and cancels the operation if it has
// not ended then. ERROR_SUCCESS, ERROR_TIMEOUT, ERROR_CANCELLED (by `stop`), or what went wrong.
DWORD AwaitIo(HANDLE file, OVERLAPPED* overlapped, BOOL started, DWORD timeout_ms, HANDLE stop,
              DWORD* transferred);

}  // namespace daemoniker
