#include "notify.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "posix/descriptor.h"

namespace daemoniker {

int NotifySupervisor(const std::string& socket, const std::string& message) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // An abstract name has no zero byte at its end.
  const bool is_abstract = !socket.empty() && socket[0] == '@';
  if (socket.size() + (is_abstract ? 0 : 1) > sizeof address.sun_path) return -ENAMETOOLONG;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  if (is_abstract) address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) +
                                             socket.size() + (is_abstract ? 0 : 1));

  const Descriptor own(::socket(AF_UNIX, SOCK_DGRAM, 0));
  if (!own.valid()) return -errno;
  fcntl(own.get(), F_SETFD, FD_CLOEXEC);
  const struct timeval patience = {1, 0};
  setsockopt(own.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  for (;;) {
    // A datagram raises no SIGPIPE.
    if (sendto(own.get(), message.data(), message.size(), 0,
               reinterpret_cast<const struct sockaddr*>(&address), length) >= 0) {
      return 0;
    }
    if (errno != EINTR) return -errno;
  }
}

}  // namespace daemoniker
