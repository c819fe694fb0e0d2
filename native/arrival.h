// One signal as it reached this process: what the operating system told the signal source.
#pragma once

#include <cstdint>

namespace daemoniker {

// Signal numbers are 1 to 64 on every platform that has more than 31 (NSIG on Linux is 65).
constexpr int kMaxSignal = 64;

// How the signal was sent. The names in JavaScript stand in lib/native.ts, in the same order.
enum class Origin : int32_t {
  kProcess = 0,  // kill(2), pidfd_send_signal(2)
  kThread = 1,   // raise(3), pthread_kill(3), tgkill(2)
  kQueue = 2,    // sigqueue(3)
  kKernel = 3,   // the terminal, a timer
  kConsole = 4,  // a Windows console control event, or the end of the Windows session
  kPipe = 5,     // send() on Windows
};

constexpr int64_t kNoSender = -1;

struct Arrival {
  int32_t signum = 0;
  Origin origin = Origin::kKernel;
  int64_t sender_pid = kNoSender;  // kNoSender when the operating system names none
  int64_t sender_uid = kNoSender;  // kNoSender also where there are no numeric users (Windows)
  int64_t wall_us = 0;             // microseconds since the epoch
  int64_t steady_ns = 0;           // clock.h: does not run while the machine sleeps
};

}  // namespace daemoniker
