// What a platform must provide: waiting for the end of another process.
//
//   native/linux/process_exit.cc    poll(2) on a pidfd; how it ended by PIDFD_GET_INFO
//   native/darwin/process_exit.cc   kqueue(2), NOTE_EXIT
//   native/win32/process_exit.cc    WaitForMultipleObjects on the process and an event;
//                                   GetExitCodeProcess
#pragma once

#include <cstdint>

#include "other_process.h"

namespace daemoniker {

// How a process has ended, where the system tells.
struct ExitStatus {
  int64_t code = -1;  // -1: it was ended by a signal, or this is not known
  int signum = 0;     // 0: it was not ended by a signal, or this is not known
};

class ProcessExit {
 public:
  // The handle must stay open until Close(). `birth` (process::Description) tells the process
  // from another one that got its number, where there is no handle. 0, or a libuv error
  // number.
  int Open(int64_t pid, process::Handle handle, double birth);
  void Close();

  // True once the process is gone, a zombie included; false after Cancel().
  bool Wait(ExitStatus* status);
  // Any thread.
  void Cancel();

 private:
  // Not every platform needs all of these.
  [[maybe_unused]] int64_t pid_ = 0;
  [[maybe_unused]] process::Handle handle_ = process::kNoHandle;
  [[maybe_unused]] double birth_ = 0;
  [[maybe_unused]] bool gone_ = false;
  // What Cancel() uses: an eventfd, a kqueue, an event.
  intptr_t cancel_ = -1;
};

}  // namespace daemoniker
