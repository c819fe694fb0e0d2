// Whole-file locks that belong to the open file description (F_OFD_SETLK: Linux 3.15, and XNU's
// fcntl.h since macOS 10.13): they end with the process however it ends, and not when the process
// reads the file elsewhere, as POSIX record locks do.
#pragma once

#include "pid_file.h"

namespace daemoniker {

LockState LockWholeFile(int fd);

// Closing the descriptor does not do it while a forked child has a copy.
void Unlock(int fd);

// Asks, never takes. Read locks do not count: `pkill -L` takes one for an instant. `descriptor` is
// the one that the holder says it holds the lock by (LockWholeFile() does), or -1.
LockState TestLock(int fd, int* descriptor);

}  // namespace daemoniker
