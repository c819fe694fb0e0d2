// A static object whose destructor never runs: threads and atexit handlers may still use it while
// the process ends, whatever the order of static destruction.
#pragma once

#include <new>

namespace daemoniker {

template <typename T>
class NoDestroy {
 public:
  NoDestroy() { new (storage_) T(); }
  NoDestroy(const NoDestroy&) = delete;
  NoDestroy& operator=(const NoDestroy&) = delete;

  T* operator->() { return std::launder(reinterpret_cast<T*>(storage_)); }
  T& operator*() { return *operator->(); }

 private:
  alignas(T) unsigned char storage_[sizeof(T)];
};

}  // namespace daemoniker
