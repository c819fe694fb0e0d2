// The thread between the operating system and JavaScript: it tells the event loop that something
// has arrived, through a thread-safe function, and says on stderr why the process is about to be
// ended. Both allocate, lock, and may hang, which is why the watcher is another thread. Parked, it
// costs no wake-up.
//
// It takes nothing out of what is pending: the main thread does, one arrival at a time.
#pragma once

#include <napi.h>

#include <cstdint>

namespace daemoniker::messenger {

// Async-signal-safe: something has arrived.
void Notify() noexcept;

// ---- The main thread ----

constexpr int kOtherEnvironment = 1;

// From now on `on_arrival` is called on the event loop with whatever arrives. `describe_open`
// returns what keeps the event loop alive, in a few words. 0; kOtherEnvironment when another
// environment of this process has started it; or a libuv error number, with everything as before.
// Idempotent.
int Start(Napi::Env env, const Napi::Function& on_arrival, const Napi::Function& describe_open);
// Joins the thread; `on_arrival` is not called any more.
void Stop();

// Whether waiting for signals keeps the event loop alive.
void SetReferenced(Napi::Env env, bool referenced);

// Calls `on_arrival` with the earliest arrival that waits, if there is one.
void Deliver(Napi::Env env, const Napi::Function& on_arrival);

// Calls `clean_up` when the environment that started it ends; it has to call Stop().
void SetCleanUp(void (*clean_up)());

// ---- Any thread ----

// For atexit: no Node-API is touched any more.
void LeaveJavaScriptAlone();

// What stderr is told besides why: where the main thread is stuck, or, if the event loop answers,
// nothing or what keeps it alive.
enum class Detail { kStack, kStackIfStuck, kStackIfStuckElseOpen };

// Has the thread say on stderr that the process is ended, and why. Returns at once; once in a
// process.
void Explain(const char* line, Detail detail);
// Waits that long for the thread to have done so; false if it has not.
bool AwaitExplanation(int64_t patience_ns);
// Whoever gets true writes the line, and nobody else does.
bool ClaimLine();

}  // namespace daemoniker::messenger
