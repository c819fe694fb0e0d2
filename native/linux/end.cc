#include "end.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "posix/descriptor.h"

namespace daemoniker::end {
namespace {

void (*run_last)() = nullptr;

// Destructors run after the functions that were registered with atexit(3), whenever that was.
__attribute__((destructor)) void LastOfAll() {
  if (run_last != nullptr) run_last();
}

}  // namespace

void RegisterAtExit(void (*clean_up)(), void (*last)()) {
  run_last = last;
  std::atexit(clean_up);
  // In reverse: the one that was registered last runs first.
  at_quick_exit(last);
  at_quick_exit(clean_up);
}

}  // namespace daemoniker::end

namespace daemoniker::standard_error {

void WriteOrHang(const char* text, bool (*may_write)()) {
  const auto may = [may_write] { return may_write == nullptr || may_write(); };
  const size_t length = std::strlen(text);
  ssize_t written = -1;
  struct stat status;
  if (fstat(STDERR_FILENO, &status) == 0 && S_ISREG(status.st_mode)) {
    // Through the shared description, whose offset the next writer goes on from.
    if (may()) written = write(STDERR_FILENO, text, length);
    (void)written;
    return;
  }
  // An open file description of our own, which cannot block: O_NONBLOCK on the shared one would
  // change it for everybody.
  const Descriptor own(
      open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (own.valid()) {
    if (may()) written = write(own.get(), text, length);
  } else if (errno == ENXIO) {
    // A socket cannot be opened.
    if (may()) written = send(STDERR_FILENO, text, length, MSG_DONTWAIT);
  } else {
    // No /proc, or a file that may not be opened any more. A pipe that polls writable takes
    // PIPE_BUF bytes at once (pipe(7)).
    struct pollfd standard_error = {STDERR_FILENO, POLLOUT, 0};
    if (poll(&standard_error, 1, 0) == 1 && may()) written = write(STDERR_FILENO, text, length);
  }
  (void)written;
}

void Write(const char* text) { WriteOrHang(text); }
void WriteOrSkip(const char* text) { WriteOrHang(text); }

}  // namespace daemoniker::standard_error
