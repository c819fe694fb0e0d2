// What a platform must provide: a thread whose creation may fail (std::thread could only throw).
#pragma once

#include <cstdint>

namespace daemoniker {

class Thread {
 public:
  constexpr Thread() = default;

  // Runs `body(argument)` on a thread with a small stack that takes no signals itself. 0, or a
  // libuv error number (EAGAIN).
  int Start(void (*body)(void*), void* argument);
  // Waits for the end of the thread; no effect when none was started.
  void Join();
  bool started() const { return started_; }

 private:
  bool started_ = false;
  uintptr_t native_ = 0;
};

}  // namespace daemoniker
