#include "posix/siginfo.h"

#include <libproc.h>
#include <sys/proc_info.h>
#include <unistd.h>

#include "dispositions.h"

namespace daemoniker {

// XNU sets si_pid to the process that ran when the signal was posted and si_code to 0 for every
// signal but SIGCHLD and hardware faults (bsd/kern/kern_sig.c, psignal_internal), so kill(2) to
// oneself and raise(3) look alike, and sigqueue(3) does not exist.
void ReadSiginfo(const siginfo_t& info, Arrival* arrival) noexcept {
  if (info.si_pid <= 0) {
    arrival->origin = Origin::kKernel;
    return;
  }
  arrival->origin = info.si_pid == getpid() ? Origin::kThread : Origin::kProcess;
  arrival->sender_pid = info.si_pid;
  arrival->sender_uid = info.si_uid;
}

bool IsAbortOfThisProcess(const siginfo_t& info) noexcept {
  return info.si_signo == SIGABRT && info.si_pid == getpid();
}

void PrepareSenderNames() {}

// proc_pidinfo() does nothing but the system call (XNU, libsyscall/wrappers/libproc/libproc.c),
// which tells this much of any user's process and, when its argument is not 0, of one that has
// ended and waits for its parent (XNU, bsd/kern/proc_info.c).
void ReadSenderName(int64_t pid, Name& name) noexcept {
  struct proc_bsdshortinfo info;
  if (proc_pidinfo(static_cast<int>(pid), PROC_PIDT_SHORTBSDINFO, 1, &info, sizeof info) !=
      static_cast<int>(sizeof info)) {
    return;
  }
  for (size_t i = 0; i + 1 < sizeof info.pbsi_comm && info.pbsi_comm[i] != '\0'; ++i) {
    name[i] = info.pbsi_comm[i];
  }
}

void RaiseOnThisThread(int signum) noexcept { raise(signum); }

dispositions::Range dispositions::RealTimeSignals() { return {}; }

}  // namespace daemoniker
