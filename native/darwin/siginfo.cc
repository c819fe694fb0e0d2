#include "posix/siginfo.h"

#include <libproc.h>
#include <sys/proc_info.h>
#include <unistd.h>

#include "dispositions.h"

namespace daemoniker {

// XNU keeps si_pid, si_uid and si_code once for each process, not for each signal. Every signal
// that is posted overwrites them, SIGCHLD too, and the next one that is delivered takes them and
// leaves zeros (bsd/kern/kern_sig.c, psignal_internal(); bsd/dev/*/unix_signal.c, sendsig()). For
// all but SIGCHLD and faults si_code is 0 and si_pid the process that ran, which for kill(2) is the
// sender. So another code means that these are a child's numbers, and no number that another signal
// was delivered first; neither names a sender. A kill(2) that came between still gives its own.
//
// kill(2) to oneself and raise(3) look alike, and there is no sigqueue(3).
namespace {

bool NamesItsSender(const siginfo_t& info) noexcept { return info.si_code == 0 && info.si_pid > 0; }

}  // namespace

void ReadSiginfo(const siginfo_t& info, Arrival* arrival) noexcept {
  if (!NamesItsSender(info)) {
    arrival->origin = Origin::kKernel;
    return;
  }
  arrival->origin = info.si_pid == getpid() ? Origin::kThread : Origin::kProcess;
  arrival->sender_pid = info.si_pid;
  arrival->sender_uid = info.si_uid;
}

// One that is taken for a message because its numbers are gone is delivered; abort(3) then ends the
// process all the same, since it does not trust a handler that returns.
bool IsAbortOfThisProcess(const siginfo_t& info) noexcept {
  return info.si_signo == SIGABRT && NamesItsSender(info) && info.si_pid == getpid();
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
