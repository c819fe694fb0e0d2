#include "thread.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>

namespace daemoniker {
namespace {

constexpr size_t kStackSize = 256 * 1024;

// glibc takes the static thread-local storage of all loaded libraries, which has no limit, out of
// the stack. It says how much that is by a function of its own that runtimes look up (Rust's std,
// OpenJDK: glibc bug 11787). musl and macOS add it to the stack.
size_t MinimalStackSize(const pthread_attr_t* attributes) {
  using GetMinimum = size_t (*)(const pthread_attr_t*);
  static const auto get_minimum =
      reinterpret_cast<GetMinimum>(dlsym(RTLD_DEFAULT, "__pthread_get_minstack"));
  return get_minimum == nullptr ? 0 : get_minimum(attributes);
}

void* RunThread(void* thread) {
  static_cast<Thread*>(thread)->Run();
  return nullptr;
}

}  // namespace

int Thread::Start(void (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error != 0) return -error;
  // Whole pages, as macOS wants them.
  constexpr size_t kPage = 16 * 1024;
  const size_t size = kStackSize + MinimalStackSize(&attributes);
  pthread_attr_setstacksize(&attributes, (size + kPage - 1) / kPage * kPage);

  // A thread inherits the mask of its creator (pthread_create(3)).
  sigset_t all;
  sigset_t previous;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &previous);
  body_ = body;
  argument_ = argument;
  pthread_t thread;
  error = pthread_create(&thread, &attributes, RunThread, this);
  pthread_sigmask(SIG_SETMASK, &previous, nullptr);
  pthread_attr_destroy(&attributes);
  if (error != 0) return -error;
  native_ = (uintptr_t)thread;  // a number on glibc, a pointer on musl and macOS
  started_ = true;
  return 0;
}

void Thread::Join() {
  if (!started_) return;
  started_ = false;
  pthread_join((pthread_t)native_, nullptr);
}

}  // namespace daemoniker
