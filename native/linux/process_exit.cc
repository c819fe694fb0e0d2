#include "process_exit.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
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

// include/uapi/linux/pidfd.h, which older systems do not have.
struct PidfdInfo {
  uint64_t mask;
  uint64_t cgroup;
  uint32_t ids[11];
  int32_t exit_code;  // as waitpid(2) has it
};
static_assert(sizeof(PidfdInfo) == 64, "PIDFD_INFO_SIZE_VER0");
constexpr uint64_t kExitInfo = 1u << 3;                              // PIDFD_INFO_EXIT, Linux 6.15
constexpr unsigned long kGetPidfdInfo = _IOWR(0xFF, 11, PidfdInfo);  // PIDFD_GET_INFO, Linux 6.13

// Its parent has to ask for the status first: soon, unless its event loop is busy. One that never
// does is not waited for.
constexpr int kReapPatienceMs = 500;

enum class Knowledge { kKnown, kNotYet, kNever };

Knowledge ReadStatus(int pidfd, ExitStatus* status) {
  PidfdInfo info = {};
  info.mask = kExitInfo;
  if (syscall(SYS_ioctl, pidfd, kGetPidfdInfo, &info) != 0) {
    // ESRCH: its parent is asking for the status just now. Otherwise, ENOTTY: an older Linux.
    return errno == ESRCH ? Knowledge::kNotYet : Knowledge::kNever;
  }
  if ((info.mask & kExitInfo) == 0) return Knowledge::kNotYet;
  if (WIFEXITED(info.exit_code)) status->code = WEXITSTATUS(info.exit_code);
  if (WIFSIGNALED(info.exit_code)) status->signum = WTERMSIG(info.exit_code);
  return Knowledge::kKnown;
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

bool ProcessExit::Wait(ExitStatus* status) {
  // pidfd_open(2): readable when the process has ended. poll(2) skips negative descriptors.
  struct pollfd either[] = {{static_cast<int>(cancel_), POLLIN, 0},
                            {static_cast<int>(handle_), POLLIN, 0}};
  const bool must_look = handle_ == process::kNoHandle;
  for (;;) {
    const int ready = poll(either, 2, must_look ? kLookEveryMs : -1);
    if (ready > 0 && either[0].revents != 0) return false;
    if (ready > 0 && either[1].revents != 0) break;
    if (must_look && IsGone(pid_, birth_)) return true;
  }
  if (ReadStatus(either[1].fd, status) != Knowledge::kNotYet) return true;
  // POLLHUP, which is always reported: it is no zombie any more.
  either[1].events = 0;
  if (poll(either, 2, kReapPatienceMs) > 0 && either[0].revents != 0) return false;
  ReadStatus(either[1].fd, status);
  return true;
}

void ProcessExit::Cancel() {
  const uint64_t one = 1;
  const ssize_t written = write(static_cast<int>(cancel_), &one, sizeof one);
  (void)written;
}

}  // namespace daemoniker
