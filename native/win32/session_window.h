// The end of the Windows session (log-off, shutdown, restart).
//
// Control routines are not called for it in a process that has user32.dll loaded, and node.exe has
// (MSDN, SetConsoleCtrlHandler, "Remarks"). Windows are told, so there is one, never shown, on its
// own thread.
#pragma once

#include "thread.h"

namespace daemoniker {

class SessionWindow {
 public:
  // Returns when there is a window, so that whoever then sees the PID file can have it closed. 0,
  // or a libuv error number when the thread cannot be started. That there can be no window (a
  // service without a window station, Nano Server) is no error: such a process has no session that
  // ends.
  int Start();
  void Stop();

 private:
  static void Run(void* self);

  Thread thread_;
  // HANDLE. A message would get lost before the thread has its queue.
  void* stop_ = nullptr;
  // HANDLE. Set when there is a window, or can be none.
  void* created_ = nullptr;
};

}  // namespace daemoniker
