#include "process_exit.h"

#include <fcntl.h>
#include <sys/event.h>
#include <unistd.h>

#include <cerrno>

namespace daemoniker {

int ProcessExit::Open(int64_t pid, process::Handle handle, double birth) {
  pid_ = pid;
  handle_ = handle;
  birth_ = birth;
  const int queue = kqueue();
  if (queue < 0) return -errno;
  fcntl(queue, F_SETFD, FD_CLOEXEC);
  cancel_ = queue;

  struct kevent change;
  EV_SET(&change, 0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0, nullptr);
  int error = kevent(queue, &change, 1, nullptr, 0, nullptr) == 0 ? 0 : -errno;
  if (error == 0) {
    EV_SET(&change, static_cast<uintptr_t>(pid), EVFILT_PROC, EV_ADD | EV_ONESHOT, NOTE_EXIT, 0,
           nullptr);
    if (kevent(queue, &change, 1, nullptr, 0, nullptr) != 0) {
      if (errno == ESRCH) {
        gone_ = true;
      } else {
        error = -errno;
      }
    }
  }
  if (error != 0) {
    Close();
    return error;
  }
  // From here on the queue means one process and not a number: was it still the right one?
  process::Description description;
  if (process::Describe(pid, handle, &description) != 0 || description.zombie ||
      description.birth != birth) {
    gone_ = true;
  }
  return 0;
}

void ProcessExit::Close() {
  if (cancel_ >= 0) close(static_cast<int>(cancel_));
  cancel_ = -1;
}

// XNU tells how a process ended only to those who may signal it (NOTE_EXITSTATUS).
bool ProcessExit::Wait(ExitStatus*) {
  if (gone_) return true;
  struct kevent event;
  for (;;) {
    const int count = kevent(static_cast<int>(cancel_), nullptr, 0, &event, 1, nullptr);
    if (count == 1) return event.filter == EVFILT_PROC;
  }
}

void ProcessExit::Cancel() {
  struct kevent change;
  EV_SET(&change, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, nullptr);
  kevent(static_cast<int>(cancel_), &change, 1, nullptr, 0, nullptr);
}

}  // namespace daemoniker
