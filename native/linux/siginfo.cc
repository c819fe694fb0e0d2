#include "posix/siginfo.h"

#include <unistd.h>

namespace daemoniker {

void ReadSiginfo(const siginfo_t& info, Arrival* arrival) noexcept {
  // sigaction(2), "The si_code field". Only these three fill in si_pid and si_uid; the other codes
  // use the same bytes for something else.
  switch (info.si_code) {
    case SI_USER:
      arrival->origin = Origin::kProcess;
      break;
    case SI_TKILL:
      arrival->origin = Origin::kThread;
      break;
    case SI_QUEUE:
      arrival->origin = Origin::kQueue;
      break;
    default:
      arrival->origin = Origin::kKernel;
      return;
  }
  // pid_namespaces(7): a sender outside our namespace shows as 0.
  if (info.si_pid <= 0) return;
  arrival->sender_pid = info.si_pid;
  arrival->sender_uid = info.si_uid;
}

bool IsAbortOfThisProcess(const siginfo_t& info) noexcept {
  return info.si_signo == SIGABRT && info.si_code == SI_TKILL && info.si_pid == getpid();
}

}  // namespace daemoniker
