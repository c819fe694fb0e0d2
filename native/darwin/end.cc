#include "end.h"

#include <dlfcn.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace daemoniker::end {

// In reverse: the one that was registered last runs first. There is nothing here that would run
// after what was registered before this library was loaded; Node's reset of the terminal was.
void RegisterAtExit(void (*clean_up)(), void (*last)()) {
  // Node unloads the addons of a worker thread when that ends, which runs what is registered here.
  // dyld has no link-time flag against it.
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&RegisterAtExit), &self) != 0) {
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
  }
  std::atexit(last);
  std::atexit(clean_up);
}

}  // namespace daemoniker::end

namespace daemoniker::standard_error {

void WriteOrHang(const char* text, bool (*may_write)()) {
  // A pipe that polls writable takes PIPE_BUF bytes at once (POSIX, write()); a socket promises
  // less. Opening /dev/fd/2 would not help: it gives the same open file description here.
  struct pollfd standard_error = {STDERR_FILENO, POLLOUT, 0};
  if (poll(&standard_error, 1, 0) != 1 || (standard_error.revents & POLLOUT) == 0) return;
  if (may_write != nullptr && !may_write()) return;
  const size_t length = std::strlen(text);
  ssize_t written = send(STDERR_FILENO, text, length, MSG_DONTWAIT);
  if (written < 0 && errno == ENOTSOCK) written = write(STDERR_FILENO, text, length);
  (void)written;
}

void Write(const char* text) { WriteOrHang(text); }
void WriteOrSkip(const char* text) { WriteOrHang(text); }

}  // namespace daemoniker::standard_error
