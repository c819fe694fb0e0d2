#include "process_exit.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>

namespace daemoniker {
namespace {

// Only without pidfd_open(2): before Linux 5.3, or where a seccomp filter refuses it.
constexpr int kLookEveryMs = 50;

bool IsGone(int64_t pid, double birth) {
  process::Description description;
  const int error = process::Describe(pid, process::kNoHandle, &description);
  if (error != 0) return error == -ESRCH;
  return description.zombie || description.birth != birth;
}

}  // namespace

int ProcessExit::Open(int64_t pid, process::Handle handle, double birth) {
  pid_ = pid;
  handle_ = handle;
  birth_ = birth;
  cancel_ = eventfd(0, EFD_CLOEXEC);
  return cancel_ >= 0 ? 0 : -errno;
}

void ProcessExit::Close() {
  if (cancel_ >= 0) close(static_cast<int>(cancel_));
  cancel_ = -1;
}

bool ProcessExit::Wait() {
  // pidfd_open(2): readable when the process has ended. poll(2) skips negative descriptors.
  struct pollfd either[] = {{static_cast<int>(cancel_), POLLIN, 0},
                            {static_cast<int>(handle_), POLLIN, 0}};
  const bool must_look = handle_ == process::kNoHandle;
  for (;;) {
    const int ready = poll(either, 2, must_look ? kLookEveryMs : -1);
    if (ready > 0 && either[0].revents != 0) return false;
    if (ready > 0 && either[1].revents != 0) return true;
    if (must_look && IsGone(pid_, birth_)) return true;
  }
}

void ProcessExit::Cancel() {
  const uint64_t one = 1;
  const ssize_t written = write(static_cast<int>(cancel_), &one, sizeof one);
  (void)written;
}

}  // namespace daemoniker
