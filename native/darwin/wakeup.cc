#include "wakeup.h"

#include <mach/mach.h>
#include <mach/semaphore.h>
#include <mach/task.h>

#include <cerrno>

namespace daemoniker {
namespace {

semaphore_t Semaphore(intptr_t stored) { return static_cast<semaphore_t>(stored); }

}  // namespace

int Wakeup::Open() {
  if (native_.load() != 0) return 0;
  semaphore_t semaphore = MACH_PORT_NULL;
  if (semaphore_create(mach_task_self(), &semaphore, SYNC_POLICY_FIFO, 0) != KERN_SUCCESS) {
    return -EAGAIN;
  }
  native_.store(static_cast<intptr_t>(semaphore));
  return 0;
}

// semaphore_signal() is one Mach trap. OpenJDK calls it in its signal handler as well.
void Wakeup::Notify() noexcept {
  if (notified_.exchange(1) == 0) semaphore_signal(Semaphore(native_.load()));
}

void Wakeup::Wait(int64_t timeout_ns) {
  const semaphore_t semaphore = Semaphore(native_.load());
  if (timeout_ns < 0) {
    semaphore_wait(semaphore);
  } else {
    const mach_timespec_t timeout = {static_cast<unsigned>(timeout_ns / 1000000000),
                                     static_cast<clock_res_t>(timeout_ns % 1000000000)};
    semaphore_timedwait(semaphore, timeout);
  }
  // An exchange and not a store: it makes visible what was recorded before the Notify().
  notified_.exchange(0);
}

}  // namespace daemoniker
