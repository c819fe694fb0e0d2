#include "wakeup.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace daemoniker {

int Wakeup::Open() {
  if (read_end_.load() >= 0) return 0;
  const int fd = eventfd(0, EFD_CLOEXEC);
  if (fd < 0) return -errno;
  notified_.store(false);
  read_end_.store(fd);
  write_end_.store(fd);
  return 0;
}

void Wakeup::Close() {
  write_end_.store(-1);
  const intptr_t fd = read_end_.exchange(-1);
  if (fd >= 0) close(static_cast<int>(fd));
}

void Wakeup::Notify() noexcept {
  if (notified_.exchange(true)) return;
  const uint64_t one = 1;
  // Cannot block: the counter never gets near its limit, since each 1 is read before the next.
  const ssize_t written = write(static_cast<int>(write_end_.load()), &one, sizeof one);
  (void)written;
}

void Wakeup::Wait(int64_t timeout_ns) {
  const int fd = static_cast<int>(read_end_.load());
  if (timeout_ns >= 0) {
    const struct timespec timeout = {static_cast<time_t>(timeout_ns / 1000000000),
                                     static_cast<long>(timeout_ns % 1000000000)};
    struct pollfd readable = {fd, POLLIN, 0};
    if (ppoll(&readable, 1, &timeout, nullptr) != 1) return;
  }
  uint64_t count;
  if (read(fd, &count, sizeof count) != sizeof count) return;
  // An exchange and not a store: it makes visible what was recorded before a Notify() that saw
  // true.
  notified_.exchange(false);
}

}  // namespace daemoniker
