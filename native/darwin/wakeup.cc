#include "wakeup.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>

namespace daemoniker {

int Wakeup::Open() {
  if (read_end_.load() >= 0) return 0;
  int ends[2];
  if (pipe(ends) != 0) return -errno;
  for (const int end : ends) fcntl(end, F_SETFD, FD_CLOEXEC);
  notified_.store(false);
  read_end_.store(ends[0]);
  write_end_.store(ends[1]);
  return 0;
}

void Wakeup::Close() {
  const intptr_t write_end = write_end_.exchange(-1);
  const intptr_t read_end = read_end_.exchange(-1);
  if (write_end >= 0) close(static_cast<int>(write_end));
  if (read_end >= 0) close(static_cast<int>(read_end));
}

void Wakeup::Notify() noexcept {
  if (notified_.exchange(true)) return;
  // Cannot block: the pipe never holds more than one byte.
  const ssize_t written = write(static_cast<int>(write_end_.load()), "", 1);
  (void)written;
}

void Wakeup::Wait(int64_t timeout_ns) {
  const int fd = static_cast<int>(read_end_.load());
  if (timeout_ns >= 0) {
    struct pollfd readable = {fd, POLLIN, 0};
    const int64_t milliseconds = (timeout_ns + 999999) / 1000000;
    if (poll(&readable, 1, static_cast<int>(milliseconds)) != 1) return;
  }
  char byte;
  if (read(fd, &byte, 1) != 1) return;
  // An exchange and not a store: it makes visible what was recorded before a Notify() that saw
  // true.
  notified_.exchange(false);
}

}  // namespace daemoniker
