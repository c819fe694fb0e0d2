// The shutdown: begun by the arrival of a signal, whether or not JavaScript has seen it, or by the
// program. What must not depend on the event loop is decided here: when it began, and whether
// a repeated request is to terminate the process at once. The hooks are JavaScript's
// (lib/shutdown.ts), the limit is the watcher's.
#pragma once

#include <cstdint>

#include "pending.h"

namespace daemoniker::shutdown {

// ---- The main thread ----

// What arrivals of this signal do from now on: begin a shutdown; end the process if their source
// had asked for the shutdown more than 500 ms before.
void SetRole(int signum, bool begins, bool ends);
// How long a shutdown may take that a signal begins.
void SetLimit(int64_t limit_ns);

// By the program, which may so far not have seen the signal that has begun it. Of several, the
// earliest end wins.
void Begin(int64_t limit_ns);
// It is over, and the process goes on. A signal that still waits has begun the next one when it
// arrived. Waits for the end of the process if the limit has passed. True when the watcher has to
// look.
bool Finish();
// The same unless Begin() was called: the signal that has begun it has met another handler.
bool FinishUnlessSeen();

// What is running from now on, in a few words; empty for nothing.
using Running = char[64];
void SetRunning(const Running& running);

// ---- The signal handler ----

// Exists from before NoteArrival() until the arrival is among those that wait. Async-signal-safe.
class Arriving {
 public:
  Arriving() noexcept;
  Arriving(const Arriving&) = delete;
  Arriving& operator=(const Arriving&) = delete;
  ~Arriving();
};

// Async-signal-safe. True when the watcher has to look.
bool NoteArrival(const Arrival& arrival) noexcept;

// ---- The watcher ----

bool HasBegun() noexcept;

struct State {
  int64_t begun_ns = 0;  // 0: it has not
  int64_t limit_ns = 0;
  int ended_by = 0;  // the signal that somebody has sent again; 0: nobody has
};
State Look() noexcept;

// From now on it cannot be finished. False if that was faster.
bool Condemn() noexcept;

// Whether Begin() was called, and what is running since when.
struct Progress {
  bool is_seen = false;
  Running running = "";
  int64_t since_ns = 0;
};
Progress LookAtProgress() noexcept;

}  // namespace daemoniker::shutdown
