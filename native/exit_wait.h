// A thread that waits for the end of another process, for terminate(). One for each wait: they are
// few, and neither the event loop nor libuv's pool must be kept.
#pragma once

#include <napi.h>

#include "process_exit.h"
#include "thread.h"

namespace daemoniker {

class ExitWait {
 public:
  // Calls `on_exit`(exit code, signal number; see ExitStatus) on the event loop, once, when the
  // process is gone; until Stop() the loop stays alive. On success (0) the process's handle belongs
  // to it. Otherwise a libuv error number.
  static int Start(Napi::Env env, int64_t pid, process::Handle handle, double birth,
                   const Napi::Function& on_exit, ExitWait** wait);

  // On the thread of the environment; called automatically when that ends, also when a worker is
  // terminated. Deletes it. `on_exit` is not called any more.
  void Stop();

  // For atexit: no Node-API is touched any more.
  static void LeaveJavaScriptAlone();

 private:
  struct Context {};
  static void CallOnExit(Napi::Env env, Napi::Function on_exit, Context*, ExitStatus* status);
  using Forwarder = Napi::TypedThreadSafeFunction<Context, ExitStatus, CallOnExit>;

  ExitWait() = default;
  ~ExitWait() = default;
  void Run();
  static void CleanUpEnvironment(void* self);

  napi_env env_ = nullptr;
  process::Handle handle_ = process::kNoHandle;
  ProcessExit exit_;
  ExitStatus status_;
  Thread thread_;
  Forwarder forwarder_;
};

}  // namespace daemoniker
