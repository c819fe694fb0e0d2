#include "notify.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "posix/descriptor.h"
#include "posix/socket.h"

namespace daemoniker {

int NotifySupervisor(const std::string& socket, const std::string& message, bool waits) {
  struct sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  // An abstract name has no zero byte at its end.
  const bool is_abstract = !socket.empty() && socket[0] == '@';
  if (socket.size() + (is_abstract ? 0 : 1) > sizeof address.sun_path) return -ENAMETOOLONG;
  std::memcpy(address.sun_path, socket.data(), socket.size());
  if (is_abstract) address.sun_path[0] = '\0';
  const auto length = static_cast<socklen_t>(offsetof(struct sockaddr_un, sun_path) +
                                             socket.size() + (is_abstract ? 0 : 1));

  const Descriptor own(OpenDatagramSocket());
  if (!own.valid()) return -errno;
  const struct timeval patience = {1, 0};
  setsockopt(own.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  for (;;) {
    // A datagram raises no SIGPIPE.
    if (sendto(own.get(), message.data(), message.size(), waits ? 0 : MSG_DONTWAIT,
               reinterpret_cast<const struct sockaddr*>(&address), length) >= 0) {
      return 0;
    }
    if (errno != EINTR) return -errno;
  }
}

}  // namespace daemoniker
