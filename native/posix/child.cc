#include <sys/wait.h>

#include <csignal>

#include "other_process.h"

namespace daemoniker::process {

// WNOWAIT: its status stays where it is, for libuv to collect. Not by its parent in /proc, which
// may be missing, hide it, or show another PID namespace.
bool IsChild(int64_t pid) {
  siginfo_t info;
  return pid > 0 && waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

}  // namespace daemoniker::process
