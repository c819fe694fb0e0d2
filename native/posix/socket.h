// What each Unix must provide: a socket that no child inherits.
//
//   native/linux/socket.cc    atomically, by SOCK_CLOEXEC
//   native/darwin/socket.cc   by fcntl(2), a moment later
#pragma once

namespace daemoniker {

// For datagrams between the processes of this machine. -1 and errno if there is none to be had.
int OpenDatagramSocket();

}  // namespace daemoniker
