#include "clock.h"

#include <time.h>

namespace daemoniker {
namespace {

#ifdef CLOCK_UPTIME_RAW
constexpr clockid_t kSteady = CLOCK_UPTIME_RAW;  // macOS: CLOCK_MONOTONIC runs on during sleep
#else
constexpr clockid_t kSteady = CLOCK_MONOTONIC;
#endif

}  // namespace

int64_t SteadyNanoseconds() noexcept {
  struct timespec now;
  clock_gettime(kSteady, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000000 + now.tv_nsec;
}

int64_t WallMicroseconds() noexcept {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000000 + now.tv_nsec / 1000;
}

}  // namespace daemoniker
