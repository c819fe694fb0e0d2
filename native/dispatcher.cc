#include "dispatcher.h"

#include <thread>
#include <utility>

#include "clock.h"
#include "no_destroy.h"
#include "other_process.h"
#include "signal_source.h"
#include "wakeup.h"

namespace daemoniker {
namespace {

// Constant-initialized and never destroyed: a signal handler may use them at any moment.
PendingSignals pending;
Wakeup wakeup;

// A sender that signals again so soon is still who it was.
constexpr int64_t kLookupLifetime = 100 * 1000 * 1000;

}  // namespace

void RecordArrival(const Arrival& arrival) noexcept {
  pending.Record(arrival);
  wakeup.Notify();
}

Dispatcher& Dispatcher::Instance() {
  static NoDestroy<Dispatcher> instance;
  return *instance;
}

int Dispatcher::Start(Napi::Env env, const Napi::Function& on_arrival) {
  const int error = StartThread();
  if (error != 0) return error;
  std::lock_guard<std::mutex> lock(forwarder_mutex_);
  forwarder_ = Forwarder::New(env, on_arrival, "daemoniker", 0, 1);
  forwarder_.Unref(env);
  forwarding_ = true;
  forwarded_.store(false);
  env_ = env;
  // Added after the thread-safe function's own hook, so it runs before that one (Node-API: hooks
  // run in reverse order).
  napi_add_env_cleanup_hook(env, CleanUpEnvironment, this);
  return 0;
}

void Dispatcher::Stop() {
  {
    std::lock_guard<std::mutex> lock(forwarder_mutex_);
    if (forwarding_) {
      forwarding_ = false;
      forwarder_.Abort();
      if (env_ != nullptr) napi_remove_env_cleanup_hook(env_, CleanUpEnvironment, this);
      env_ = nullptr;
    }
  }
  // What still waits will never be handled, which must not end the process while it exits.
  deadlines_.ClearSignals();
  if (!deadlines_.exit_armed()) StopThread();
}

void Dispatcher::CleanUpEnvironment(void* self) {
  auto* dispatcher = static_cast<Dispatcher*>(self);
  dispatcher->env_ = nullptr;  // the hook that runs need not be removed
  // No JavaScript will: from now on signals would be swallowed.
  signal_source::RestoreWithoutPlan();
  dispatcher->Stop();
}

void Dispatcher::SetReferenced(Napi::Env env, bool referenced) {
  if (!forwarding_) return;
  if (referenced) {
    forwarder_.Ref(env);
  } else {
    forwarder_.Unref(env);
  }
}

void Dispatcher::Deliver(Napi::Env env, const Napi::Function& on_arrival) {
  TakenArrival taken;
  if (!pending.Take(&taken)) return;
  const Arrival& arrival = taken.arrival;
  const auto number = [env](auto value) {
    return Napi::Number::New(env, static_cast<double>(value));
  };
  // In the order of OnArrival in lib/native.ts.
  on_arrival.Call({number(arrival.signum), number(arrival.origin), number(arrival.sender_pid),
                   number(arrival.sender_uid), number(arrival.wall_us), number(taken.count),
                   number(taken.sequence)});
}

int Dispatcher::Waiting() const {
  int waiting = 0;
  PendingSignals::ForEach(pending.Waiting(), [&](int) { ++waiting; });
  return waiting;
}

std::string Dispatcher::SenderCommand(uint64_t sequence, int64_t pid, int64_t wall_us) {
  {
    std::lock_guard<std::mutex> lock(lookups_mutex_);
    for (const Lookup& lookup : lookups_) {
      if (lookup.sequence == sequence) return lookup.command;
    }
  }
  return process::CommandName(pid, wall_us);
}

void Dispatcher::SetSignalDeadline(int signum, double milliseconds) {
  deadlines_.SetForSignal(signum, static_cast<int64_t>(milliseconds * 1e6));
  wakeup.Notify();
}

int Dispatcher::SetExitDeadline(double milliseconds, int signum) {
  const int error = StartThread();
  if (error != 0) return error;
  deadlines_.SetForExit(static_cast<int64_t>(milliseconds * 1e6), signum);
  wakeup.Notify();
  return 0;
}

void Dispatcher::CancelExitDeadline() {
  deadlines_.CancelExit();
  if (!forwarding_) StopThread();
}

void Dispatcher::LeaveJavaScriptAlone() {
  leave_javascript_alone_.store(true);
  // The thread may be inside the thread-safe function this very moment. It stays valid until the
  // process ends, but let it get out; not for ever, because exit() may have been called anywhere.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    if (forwarder_mutex_.try_lock()) {
      forwarder_mutex_.unlock();
      return;
    }
    std::this_thread::yield();
  }
}

int Dispatcher::StartThread() {
  if (thread_.started()) return 0;
  int error = wakeup.Open();
  if (error != 0) return error;
  quit_.store(false);
  error = thread_.Start([](void* self) { static_cast<Dispatcher*>(self)->Run(); }, this);
  if (error != 0) wakeup.Close();
  return error;
}

void Dispatcher::StopThread() {
  if (!thread_.started()) return;
  quit_.store(true);
  wakeup.Notify();
  thread_.Join();
  wakeup.Close();
}

void Dispatcher::Run() {
  deadlines_.Begin();
  for (;;) {
    wakeup.Wait(deadlines_.WaitLimit(pending));
    if (quit_.load()) return;
    QueueLookups();
    Forward();
    LookUpSenders();
    deadlines_.Enforce(pending);
  }
}

void Dispatcher::Forward() {
  if (pending.Waiting() == 0) return;
  std::lock_guard<std::mutex> lock(forwarder_mutex_);
  if (!forwarding_ || leave_javascript_alone_.load()) return;
  if (forwarded_.exchange(true)) return;
  if (forwarder_.NonBlockingCall() != napi_ok) forwarded_.store(false);
}

// Notes the senders before the main thread takes the arrivals away.
void Dispatcher::QueueLookups() {
  PendingSignals::ForEach(pending.Waiting(), [&](int signum) {
    Arrival arrival;
    uint64_t sequence;
    if (queued_ == kLookups || !pending.Peek(signum, &arrival, &sequence)) return;
    if (arrival.sender_pid <= 0 || sequence == last_queued_[signum]) return;
    last_queued_[signum] = sequence;
    if (arrival.sender_pid == last_pid_ &&
        arrival.steady_ns - last_looked_up_ns_ < kLookupLifetime) {
      AddLookup({sequence, last_command_});
      return;
    }
    queue_[queued_++] = {sequence, arrival.sender_pid, arrival.wall_us};
  });
}

// At once, because a sender that exits is soon gone.
void Dispatcher::LookUpSenders() {
  if (queued_ == 0) return;
  // But it takes as long as the rest of the way, and often on the very CPU that the main thread was
  // just woken on: let that go first.
  std::this_thread::yield();
  for (size_t i = 0; i < queued_; ++i) {
    const QueuedLookup& queued = queue_[i];
    if (queued.pid != last_pid_ || i == 0) {
      last_pid_ = queued.pid;
      last_command_ = process::CommandName(queued.pid, queued.wall_us);
      last_looked_up_ns_ = SteadyNanoseconds();
    }
    AddLookup({queued.sequence, last_command_});
  }
  queued_ = 0;
}

void Dispatcher::AddLookup(Lookup lookup) {
  std::lock_guard<std::mutex> lock(lookups_mutex_);
  lookups_[next_lookup_] = std::move(lookup);
  next_lookup_ = (next_lookup_ + 1) % kLookups;
}

void Dispatcher::Forwarded(Napi::Env env, Napi::Function on_arrival, ForwardContext*, void*) {
  if (env == nullptr) return;
  // First, so that whatever arrives from now on is forwarded anew.
  Instance().forwarded_.exchange(false);
  Deliver(env, on_arrival);
  // One at a time, and through the dispatcher, so that the event loop gets its turn in between.
  if (pending.Waiting() != 0) wakeup.Notify();
}

}  // namespace daemoniker
