// What stderr is told when a deadline ends the process: best effort, and in bounded time.
#pragma once

#include <cstdint>

#include "arrival.h"

namespace daemoniker {

struct UnhandledSignal {
  Arrival arrival;
  uint64_t sequence;
  int64_t blocked_ns;
};

// Returns after 10 ms, or 100 ms if even the first line takes as long, whatever hangs: stderr, its
// disk, the main thread. To be called once, by the thread that ends the process next.
void SayObituary(const UnhandledSignal& unhandled);
// The same when the process did not exit in time.
void SayObituary(int signum, int64_t limit_ns);

}  // namespace daemoniker
