// What each Unix must provide: reading a siginfo_t. Async-signal-safe.
//
//   native/linux/siginfo.cc    si_code tells how a signal was sent
//   native/darwin/siginfo.cc   si_code is always 0
#pragma once

#include <csignal>

#include "arrival.h"

namespace daemoniker {

// Fills in origin and sender.
void ReadSiginfo(const siginfo_t& info, Arrival* arrival) noexcept;

// abort(3) and its like: a crash of this process, not a message from another one.
bool IsAbortOfThisProcess(const siginfo_t& info) noexcept;

}  // namespace daemoniker
