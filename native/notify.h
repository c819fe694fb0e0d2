// What a platform must provide: one message to the supervisor that started this process.
//
//   native/posix/notify.cc   a datagram, as sd_notify(3) sends it
//   native/win32/notify.cc   there is no such supervisor
#pragma once

#include <string>

namespace daemoniker {

// `socket` is a path, or, after an "@", a name in Linux's abstract namespace. 0, or a libuv error
// number: EAGAIN if the receiver has more messages than it takes, after a second if this `waits`.
int NotifySupervisor(const std::string& socket, const std::string& message, bool waits);

}  // namespace daemoniker
