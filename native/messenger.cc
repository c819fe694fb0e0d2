#include "messenger.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include "clock.h"
#include "end.h"
#include "main_thread.h"
#include "no_destroy.h"
#include "pending.h"
#include "stuck_stack.h"
#include "thread.h"
#include "wakeup.h"

namespace daemoniker::messenger {
namespace {

// What the main thread gets to say where it is stuck, or what is open: that much in which it could
// run, and on a busy machine no more than the other.
constexpr int64_t kPatience = 8 * kMillisecond;
constexpr int64_t kMostPatience = 40 * kMillisecond;

struct Context {};
void OnEventLoop(Napi::Env env, Napi::Function on_arrival, Context*, void*);
using Forwarder = Napi::TypedThreadSafeFunction<Context, void, OnEventLoop>;

Wakeup wakeup;
Wakeup explained;
Thread thread;
std::atomic<bool> quit{false};
std::atomic<bool> leave_javascript_alone{false};

// Main thread only: the environment that has started it.
napi_env owner = nullptr;
void (*run_clean_up)() = nullptr;
bool warm = false;
NoDestroy<Napi::FunctionReference> describe_open_function;

// Guards the forwarder against being released while the thread uses it. Never held while
// JavaScript runs.
NoDestroy<std::mutex> forwarder_mutex;
NoDestroy<Forwarder> forwarder;
bool forwarding = false;
// A call of OnEventLoop() is on its way and has not begun.
std::atomic<bool> called{false};

// The explanation. Static and trivial, because the thread may be stuck with it at the end.
struct {
  const char* line = nullptr;
  Detail detail = Detail::kStack;
  std::atomic<bool> wanted{false};
  std::atomic<bool> line_claimed{false};
  std::atomic<bool> done{false};  // `explained` tells the watcher
  std::atomic<bool> description_wanted{false};
  std::atomic<bool> described{false};
  char open[300] = "";
} explanation;

// ---- The event loop ----

void DescribeOpen() {
  Napi::Value result = describe_open_function->Call({});
  if (!result.IsEmpty() && result.IsString()) {
    const std::string text = result.As<Napi::String>().Utf8Value();
    std::snprintf(explanation.open, sizeof explanation.open, "%s", text.c_str());
  }
  explanation.described.store(true);
}

void Call(Napi::Env env, const Napi::Function& on_arrival, const Arrival& arrival,
          const char* name) {
  const auto number = [env](auto value) {
    return Napi::Number::New(env, static_cast<double>(value));
  };
  // In the order of OnArrival in lib/native.ts.
  on_arrival.Call({number(arrival.signum), number(arrival.origin), number(arrival.sender_pid),
                   number(arrival.sender_uid), number(arrival.wall_us), number(arrival.count),
                   number(arrival.sequence),
                   name[0] == '\0' ? env.Null() : Napi::String::New(env, name).As<Napi::Value>()});
}

// The first signal of a process is often its only one: it should find everything loaded and
// compiled. Signal 0 takes the same way up to where a handler would be called.
void WarmUp(Napi::Env env, const Napi::Function& on_arrival) {
  warm = true;
  Call(env, on_arrival, Arrival(), "");
}

void OnEventLoop(Napi::Env env, Napi::Function on_arrival, Context*, void*) {
  if (env == nullptr) return;
  // First, so that whatever arrives from now on is forwarded.
  called.exchange(false);
  if (explanation.description_wanted.exchange(false)) DescribeOpen();
  if (!warm) WarmUp(env, on_arrival);
  Deliver(env, on_arrival);
  // One at a time, and through the thread, so that the event loop gets its turn in between.
  if (pending.Waiting() != 0) wakeup.Notify();
}

// ---- The thread ----

void CallEventLoop() {
  const std::lock_guard<std::mutex> lock(*forwarder_mutex);
  if (!forwarding || leave_javascript_alone.load()) return;
  if (called.exchange(true)) return;
  if (forwarder->NonBlockingCall() != napi_ok) called.store(false);
}

template <typename Condition>
void WaitUntil(Condition condition) {
  const int64_t begun_ns = SteadyNanoseconds();
  const int64_t begun_cpu_ns = main_thread::LookAtIt().cpu_ns;
  while (!condition()) {
    const int64_t waited_ns = SteadyNanoseconds() - begun_ns;
    const main_thread::Look look = main_thread::LookAtIt();
    const bool could_run =
        look.state != main_thread::State::kRunnable || look.cpu_ns - begun_cpu_ns >= kPatience;
    if (waited_ns >= (could_run ? kPatience : kMostPatience)) return;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

// Whether the event loop is free, and has therefore answered.
bool AskWhatIsOpen() {
  explanation.description_wanted.store(true);
  CallEventLoop();
  WaitUntil([] { return explanation.described.load(); });
  return explanation.described.load();
}

void WriteStack() {
  stuck_stack::Ask();
  WaitUntil([] { return stuck_stack::IsKnown() || !stuck_stack::WasAsked(); });
  if (stuck_stack::IsKnown()) standard_error::WriteOrHang(stuck_stack::Text());
}

void WriteExplanation() {
  const bool is_free = explanation.detail != Detail::kStack && AskWhatIsOpen();
  const bool is_something_open =
      is_free && explanation.detail == Detail::kStackIfStuckElseOpen && explanation.open[0] != '\0';
  char text[640];
  std::snprintf(text, sizeof text, "%s%s%s\n", explanation.line,
                is_something_open ? "; still open: " : "",
                is_something_open ? explanation.open : "");
  standard_error::WriteOrHang(text, ClaimLine);
  if (!is_free) WriteStack();
  explanation.done.store(true);
  explained.Notify();
}

void Run(void*) {
  CallEventLoop();  // for WarmUp()
  for (;;) {
    wakeup.Wait(-1);
    if (quit.load()) return;
    if (explanation.wanted.exchange(false)) WriteExplanation();
    if (pending.Waiting() != 0) CallEventLoop();
  }
}

void CleanUpEnvironment(void*) {
  owner = nullptr;  // the hook that runs need not be removed
  if (run_clean_up != nullptr) run_clean_up();
}

void ReleaseForwarder() {
  const std::lock_guard<std::mutex> lock(*forwarder_mutex);
  if (!forwarding) return;
  forwarding = false;
  forwarder->Abort();
}

}  // namespace

void Notify() noexcept { wakeup.Notify(); }

int Start(Napi::Env env, const Napi::Function& on_arrival, const Napi::Function& describe_open) {
  if (owner != nullptr) return owner == static_cast<napi_env>(env) ? 0 : kOtherEnvironment;
  int error = wakeup.Open();
  if (error == 0) error = explained.Open();
  if (error != 0) return error;
  // Before the thread-safe function, whose creation may call JavaScript (async_hooks), and that us.
  owner = env;
  Forwarder created = Forwarder::New(env, on_arrival, "daemoniker", 0, 1);
  created.Unref(env);
  *describe_open_function = Napi::Persistent(describe_open);
  called.store(false);
  warm = false;
  {
    const std::lock_guard<std::mutex> lock(*forwarder_mutex);
    *forwarder = created;
    forwarding = true;
  }
  quit.store(false);
  error = thread.Start(Run, nullptr);
  if (error != 0) {
    ReleaseForwarder();
    describe_open_function->Reset();
    owner = nullptr;
    return error;
  }
  if (stuck_stack::Prepare(env)) end::PrepareTerminalReset();
  // Added after the thread-safe function's own hook, so it runs before that one (Node-API: hooks
  // run in reverse order).
  napi_add_env_cleanup_hook(env, CleanUpEnvironment, nullptr);
  return 0;
}

void Stop() {
  ReleaseForwarder();
  if (owner != nullptr) napi_remove_env_cleanup_hook(owner, CleanUpEnvironment, nullptr);
  owner = nullptr;
  describe_open_function->Reset();
  if (!thread.started()) return;
  quit.store(true);
  wakeup.Notify();
  thread.Join();
}

void SetReferenced(Napi::Env env, bool referenced) {
  if (!forwarding) return;
  if (referenced) {
    forwarder->Ref(env);
  } else {
    forwarder->Unref(env);
  }
}

void Deliver(Napi::Env env, const Napi::Function& on_arrival) {
  Arrival arrival;
  if (!pending.Take(&arrival)) return;
  Name name = {};
  pending.ReadName(arrival.signum, arrival.sequence, name);
  Call(env, on_arrival, arrival, name);
}

void SetCleanUp(void (*clean_up)()) { run_clean_up = clean_up; }

void LeaveJavaScriptAlone() {
  leave_javascript_alone.store(true);
  // The thread may be inside the thread-safe function right now. It stays valid until the
  // process ends, but let it get out; not for ever, because exit() may have been called anywhere.
  for (int attempt = 0; attempt < 1000; ++attempt) {
    if (forwarder_mutex->try_lock()) {
      forwarder_mutex->unlock();
      return;
    }
    std::this_thread::yield();
  }
}

void Explain(const char* line, Detail detail) {
  explanation.line = line;
  explanation.detail = detail;
  explanation.wanted.store(true);
  wakeup.Notify();
}

bool AwaitExplanation(int64_t patience_ns) {
  if (!explanation.done.load()) explained.Wait(patience_ns);
  return explanation.done.load();
}

bool ClaimLine() { return !explanation.line_claimed.exchange(true); }

}  // namespace daemoniker::messenger
