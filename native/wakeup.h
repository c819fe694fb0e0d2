// What a platform must provide: how a signal source wakes the dispatcher thread.
//
//   native/linux/wakeup.cc    eventfd(2)
//   native/darwin/wakeup.cc   a pipe
//   native/win32/wakeup.cc    an auto-reset event
#pragma once

#include <atomic>
#include <cstdint>

namespace daemoniker {

class Wakeup {
 public:
  constexpr Wakeup() = default;

  // 0, or a libuv error number (EMFILE). Idempotent.
  int Open();
  void Close();

  // Async-signal-safe. Any number of calls before the next Wait() count as one.
  void Notify() noexcept;

  // Returns once notified, or after `timeout_ns` (negative: no limit). May return early.
  void Wait(int64_t timeout_ns);

 private:
  std::atomic<bool> notified_{false};
  // The descriptors, or the handle; -1 when closed.
  std::atomic<intptr_t> read_end_{-1};
  std::atomic<intptr_t> write_end_{-1};
};

}  // namespace daemoniker
