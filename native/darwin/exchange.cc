#include "posix/exchange.h"

#include <stdio.h>
#include <sys/stdio.h>

#include <cerrno>

namespace daemoniker {

int Exchange(const char* one, const char* other) {
  return renamex_np(one, other, RENAME_SWAP) == 0 ? 0 : -errno;
}

bool CannotExchange(int error) { return error == -ENOTSUP || error == -EINVAL; }

}  // namespace daemoniker
