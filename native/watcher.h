// The thread that enforces limits: it terminates the process when one has passed.
//
// It must be able to do so whatever the main thread holds: the allocator's lock, the loader's, or
// one of its own. So after Start() it allocates nothing, creates nothing, takes no lock that
// another thread may hold, and calls no Node-API. What might hang is the messenger's business, for
// which it waits 100 ms. Asleep while nothing is limited.
#pragma once

#include <cstdint>

namespace daemoniker::watcher {

// Starts the thread. 0, or a libuv error number. Idempotent. Main thread only, as all that follows.
int Start();
// Joins it. Limits are no longer enforced.
void Stop();

// The name of this signal in messages.
void SetSignalName(int signum, const char* name);

// How long an arrival of this signal may wait for its handler, in time in which the main thread
// could run; 0: for ever. For one that is already pending, counted from now.
void SetSignalLimit(int signum, int64_t limit_ns);
// Signals are no longer handled.
void ClearSignalLimits();

// The process is terminated with `signum` when this time has passed, less the time for which the
// process as a whole was stopped. An earlier limit stays, unless `extend`.
void SetExitLimit(int64_t limit_ns, int signum, bool extend);
// Afterwards the process is no longer terminated.
void CancelExitLimit();
// Whether the process has to exit in some time, by that limit or the shutdown's.
bool LimitsExit();

// Async-signal-safe: whether arrivals of this signal have a limit; and that there is something to
// look at.
bool Limits(int signum) noexcept;
void Notify() noexcept;

}  // namespace daemoniker::watcher
