// FILETIME counts 100 ns since 1601.
#pragma once

#include <windows.h>

#include <cstdint>

namespace daemoniker {

inline int64_t Ticks(const FILETIME& time) {
  return static_cast<int64_t>((static_cast<uint64_t>(time.dwHighDateTime) << 32) |
                              time.dwLowDateTime);
}

constexpr int64_t kUnixEpochInTicks = 116444736000000000;

inline int64_t MicrosecondsSinceEpoch(const FILETIME& time) {
  return (Ticks(time) - kUnixEpochInTicks) / 10;
}

inline double MillisecondsSinceEpoch(const FILETIME& time) {
  return static_cast<double>(Ticks(time) - kUnixEpochInTicks) / 1e4;
}

}  // namespace daemoniker
