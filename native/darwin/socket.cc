#include "posix/socket.h"

#include <fcntl.h>
#include <sys/socket.h>

namespace daemoniker {

int OpenDatagramSocket() {
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  if (fd >= 0) fcntl(fd, F_SETFD, FD_CLOEXEC);
  return fd;
}

}  // namespace daemoniker
