// What a platform must provide: a process that was started in the background, with all that it
// starts.
//
//   native/posix/session.cc   a session: setsid(2), which the runtime calls for a detached child;
//                             and what descends from that
//   native/win32/session.cc   a job object
#pragma once

#include <cstdint>
#include <vector>

namespace daemoniker::session {

using Id = intptr_t;

// From now on no child inherits what this process has open, but for what it is given: Node.js sees
// to that for what it opens itself, and not for all that it was started with.
void KeepDescriptors();

// Of a detached child that was started just now. 0, or a libuv error number. Must be closed.
int Open(int64_t leader, Id* id);
void Close(Id id);

bool Contains(Id id, int64_t pid);

// Sends a signal to all of its processes; 0: to none. Which these are, without zombies; those that
// could not be signalled are among them.
std::vector<int64_t> Signal(Id id, int signum);

}  // namespace daemoniker::session
