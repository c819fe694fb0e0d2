#include "win32/console_events.h"

#include <windows.h>

#include <atomic>
#include <csignal>

#include "win32/arrivals.h"
#include "win32/error_codes.h"

namespace daemoniker::console_events {
namespace {

// Only the main thread changes it.
bool registered = false;
// The console has been closed; its thread waits for the end of the process.
std::atomic<bool> holding{false};

// Called by the system on a thread of its own, the routine registered last first; TRUE ends the
// chain, so libuv's routine (and process.on()) sees what we do not take. MSDN, "HandlerRoutine
// callback function".
BOOL WINAPI OnControlEvent(DWORD event) {
  switch (event) {
    case CTRL_C_EVENT:
    case CTRL_BREAK_EVENT:
      return RecordIfTaken(SIGINT, Origin::kConsole) ? TRUE : FALSE;
    case CTRL_CLOSE_EVENT:
    case CTRL_SHUTDOWN_EVENT:  // services without user32.dll; for all others see session_window.h
      if (!RecordEnding(&holding)) return FALSE;
      // Until the handlers have ended the process, or the system's own limit does.
      if (holding.load()) Sleep(INFINITE);
      return TRUE;
    default:
      // Including CTRL_LOGOFF_EVENT, which tells services that any user has logged off.
      return FALSE;
  }
}

}  // namespace

int Start() {
  if (registered) return 0;
  if (!SetConsoleCtrlHandler(OnControlEvent, TRUE)) return LastUvError();
  registered = true;
  return 0;
}

void Stop() {
  // The list of routines may be locked while one of them runs, and ours will run until the end.
  if (!registered || holding.load()) return;
  SetConsoleCtrlHandler(OnControlEvent, FALSE);
  registered = false;
}

}  // namespace daemoniker::console_events
