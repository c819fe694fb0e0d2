#include "exit_wait.h"

#include <atomic>

namespace daemoniker {
namespace {

std::atomic<bool> leave_javascript_alone{false};

}  // namespace

int ExitWait::Start(Napi::Env env, int64_t pid, process::Handle handle, double birth,
                    const Napi::Function& on_exit, ExitWait** wait) {
  auto* self = new ExitWait();
  int error = self->exit_.Open(pid, handle, birth);
  if (error == 0) {
    self->forwarder_ = Forwarder::New(env, on_exit, "daemoniker exit wait", 0, 1);
    error = self->thread_.Start([](void* raw) { static_cast<ExitWait*>(raw)->Run(); }, self);
    if (error != 0) {
      self->forwarder_.Abort();
      self->exit_.Close();
    }
  }
  if (error != 0) {
    delete self;
    return error;
  }
  self->handle_ = handle;
  self->env_ = env;
  // Added after the thread-safe function's own hook, so it runs before that one (Node-API: hooks
  // run in reverse order).
  napi_add_env_cleanup_hook(env, CleanUpEnvironment, self);
  *wait = self;
  return 0;
}

void ExitWait::Stop() {
  napi_remove_env_cleanup_hook(env_, CleanUpEnvironment, this);
  exit_.Cancel();
  thread_.Join();
  forwarder_.Abort();
  exit_.Close();
  process::Close(handle_);
  delete this;
}

void ExitWait::LeaveJavaScriptAlone() { leave_javascript_alone.store(true); }

void ExitWait::Run() {
  if (exit_.Wait(&status_) && !leave_javascript_alone.load()) {
    forwarder_.NonBlockingCall(&status_);
  }
}

void ExitWait::CallOnExit(Napi::Env env, Napi::Function on_exit, Context*, ExitStatus* status) {
  // Without one it has been aborted, and `status` is gone.
  if (env == nullptr) return;
  on_exit.Call({Napi::Number::New(env, static_cast<double>(status->code)),
                Napi::Number::New(env, status->signum)});
}

void ExitWait::CleanUpEnvironment(void* self) { static_cast<ExitWait*>(self)->Stop(); }

}  // namespace daemoniker
