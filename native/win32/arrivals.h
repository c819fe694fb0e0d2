// Where the sources of signals on Windows hand on what they saw.
#pragma once

#include <atomic>

#include "pending.h"

namespace daemoniker {

// Records the arrival for the main thread, from any thread. False when no handler takes this
// signal (any more): then nothing was done.
bool RecordIfTaken(int signum, Origin origin, int64_t sender_pid = kNoSender);

// The same for SIGTERM when the console or the session ends. The system ends the process as soon as
// the thread that it told so returns, so that one has to wait for the end: then `*holding` is true,
// and was so before dispositions::GiveBack() could return. It need not wait for handlers that
// ignore the signal.
bool RecordEnding(std::atomic<bool>* holding);

}  // namespace daemoniker
