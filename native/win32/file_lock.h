// Locks on bytes far beyond the end of a file, where they disturb no reader (Windows locks are
// mandatory). They end with the process however it ends.
//
// The holder locks two bytes. The first decides who holds the file. The second lies in a range of
// its own, at a place that stands for the holder's PID and start time: so others can ask whether
// exactly that process holds it, which Windows does not tell. Those who ask take a shared lock in
// that range for an instant, since Windows cannot test without taking; they never touch the first
// byte, so nobody who wants the file fails because somebody looked.
#pragma once

#include <windows.h>

#include <cstdint>

#include "other_process.h"
#include "pid_file.h"

namespace daemoniker {

LockState LockPidFile(HANDLE file);

// Does anybody hold it?
LockState TestPidFileLock(HANDLE file);

// Keeps everybody from holding it, for a moment: false when somebody does hold it.
bool BlockHolders(HANDLE file);
void UnblockHolders(HANDLE file);

// Does this process hold it? `started_at` is its creation time, in FILETIME's units.
Holds TestHolder(HANDLE file, int64_t pid, int64_t started_at);

}  // namespace daemoniker
