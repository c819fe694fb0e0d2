// What a platform must provide: how a signal handler wakes a thread.
//
//   native/linux/wakeup.cc    a futex
//   native/darwin/wakeup.cc   a Mach semaphore
//   native/win32/wakeup.cc    an auto-reset event, and a timer
//
// None of them is a file descriptor, which other code could close or reuse.
#pragma once

#include <atomic>
#include <cstdint>

namespace daemoniker {

class Wakeup {
 public:
  constexpr Wakeup() = default;

  // Before the first use. 0, or a libuv error number. Idempotent; there is nothing to close.
  int Open();

  // Async-signal-safe. Any number of calls before the next Wait() count as one.
  void Notify() noexcept;

  // Returns once notified, or after `timeout_ns` (negative: no limit). May return early.
  void Wait(int64_t timeout_ns);

 private:
  std::atomic<uint32_t> notified_{0};
  // The semaphore or event, where there is one, and Windows' timer.
  [[maybe_unused]] std::atomic<intptr_t> native_{0};
  [[maybe_unused]] std::atomic<intptr_t> timer_{0};
};

}  // namespace daemoniker
