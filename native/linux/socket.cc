#include "posix/socket.h"

#include <sys/socket.h>

namespace daemoniker {

int OpenDatagramSocket() { return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0); }

}  // namespace daemoniker
