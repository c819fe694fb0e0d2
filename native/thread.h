// What a platform must provide: a thread whose creation may fail (std::thread could only throw).
#pragma once

#include <cstdint>

namespace daemoniker {

class Thread {
 public:
  constexpr Thread() = default;

  // Runs `body(argument)` on a thread with a small stack that takes no signals itself. 0, or a
  // libuv error number (EAGAIN). This object has to outlive the thread: what that is given lies
  // here and not on the heap, because to free it the thread might wait for a lock of the
  // allocator's that another thread holds for ever.
  int Start(void (*body)(void*), void* argument);
  // Waits for the end of the thread; no effect when none was started.
  void Join();
  bool started() const { return started_; }

  // What the new thread calls.
  void Run() { body_(argument_); }

 private:
  void (*body_)(void*) = nullptr;
  void* argument_ = nullptr;
  bool started_ = false;
  uintptr_t native_ = 0;
};

}  // namespace daemoniker
