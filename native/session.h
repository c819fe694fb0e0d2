// What a platform must provide: a process that was started in the background, with all that it
// starts.
//
//   native/posix/session.cc   a session: setsid(2), which the runtime calls for a detached child
//   native/win32/session.cc   a job object
#pragma once

#include <cstdint>

namespace daemoniker::session {

using Id = intptr_t;

// Of a detached child that was started just now. 0, or a libuv error number. Must be closed.
int Open(int64_t leader, Id* id);
void Close(Id id);

bool Contains(Id id, int64_t pid);

// Sends a signal to all of its processes; 0: to none. How many there are, without zombies.
int Signal(Id id, int signum);

}  // namespace daemoniker::session
