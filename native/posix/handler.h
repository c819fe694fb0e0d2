// The signal handler, for native/posix/dispositions.cc.
#pragma once

#include <csignal>

namespace daemoniker::handler {

// The value of sa_sigaction. Records the signal if that is wanted, else does what it did before.
void Handle(int signum, siginfo_t* info, void* context);

void SetRecording(int signum, bool recording);

// What a signal does that is not recorded: it may arrive while it is being taken or given back, and
// in a child that was forked without exec(3).
void SetFallback(int signum, const struct sigaction& action);
const struct sigaction& Fallback(int signum);

// Until no handler on another thread can still be about to record, or be reading a fallback that
// was replaced. The calling thread must not be inside Handle().
void WaitForOthers();
// The same where it can be: exit(3) may have been called by another signal's handler that
// interrupted Handle().
void WaitForOthersBriefly();

}  // namespace daemoniker::handler
