// What a platform must provide: the two clocks. Both are async-signal-safe.
#pragma once

#include <cstdint>

namespace daemoniker {

constexpr int64_t kMillisecond = 1000 * 1000;  // in nanoseconds

// Nanoseconds of a clock that only moves forward and stands still while the machine sleeps.
int64_t SteadyNanoseconds() noexcept;

// Microseconds since the epoch.
int64_t WallMicroseconds() noexcept;

}  // namespace daemoniker
