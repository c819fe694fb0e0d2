#include "wakeup.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

namespace daemoniker {
namespace {

// The call whose timeout is a struct timespec as the C library has it, on 32-bit systems too.
#if defined(SYS_futex_time64) && !defined(__LP64__)
constexpr long kFutex = sizeof(time_t) > sizeof(long) ? SYS_futex_time64 : SYS_futex;
#else
constexpr long kFutex = SYS_futex;
#endif

}  // namespace

int Wakeup::Open() { return 0; }

void Wakeup::Notify() noexcept {
  if (notified_.exchange(1) != 0) return;
  syscall(kFutex, &notified_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void Wakeup::Wait(int64_t timeout_ns) {
  // Exchanges and not stores: they make visible what was recorded before the Notify().
  if (notified_.exchange(0) != 0) return;
  const struct timespec timeout = {static_cast<time_t>(timeout_ns / 1000000000),
                                   static_cast<long>(timeout_ns % 1000000000)};
  syscall(kFutex, &notified_, FUTEX_WAIT_PRIVATE, 0, timeout_ns < 0 ? nullptr : &timeout, nullptr,
          0);
  notified_.exchange(0);
}

}  // namespace daemoniker
