// What each Unix must provide: what a signal handler can find out about the sender. Everything here
// is async-signal-safe, but for PrepareSenderNames().
//
//   native/linux/siginfo.cc    si_code tells how a signal was sent; names from /proc
//   native/darwin/siginfo.cc   one sender for all signals of a process; names by proc_pidinfo()
#pragma once

#include <csignal>

#include "pending.h"

namespace daemoniker {

// Fills in origin and sender.
void ReadSiginfo(const siginfo_t& info, Arrival* arrival) noexcept;

// abort(3) and its like: a crash of this process, not a message from another one.
bool IsAbortOfThisProcess(const siginfo_t& info) noexcept;

// Finds out whether this system tells the names of our senders.
void PrepareSenderNames();

// The name of the program, without its arguments: they may hold secrets, and reading them waits for
// the other process's memory lock (proc(5), /proc/pid/cmdline), for ever if it hangs. `name` is
// empty and stays so when it cannot be known.
void ReadSenderName(int64_t pid, Name& name) noexcept;

// As raise(3), which in a child of vfork(2) may signal the parent's thread (musl).
void RaiseOnThisThread(int signum) noexcept;

}  // namespace daemoniker
