#include "posix/exchange.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace daemoniker {
namespace {

// include/uapi/linux/fs.h; older C libraries name neither this nor the function.
constexpr unsigned kRenameExchange = 2;

}  // namespace

int Exchange(const char* one, const char* other) {
  const long result = syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, other, kRenameExchange);
  return result == 0 ? 0 : -errno;
}

// EINVAL: the file system does not know it. EPERM: also a seccomp filter's answer, which rename(2)
// then gives as well if it is about the files.
bool CannotExchange(int error) { return error == -ENOSYS || error == -EINVAL || error == -EPERM; }

}  // namespace daemoniker
