#include "posix/siginfo.h"

#include <unistd.h>

#include <atomic>

#include "dispositions.h"
#include "linux/proc.h"

namespace daemoniker {
namespace {

// Whether /proc shows the processes of our PID namespace. In another's, the number of our sender is
// somebody else.
std::atomic<bool> proc_is_ours{false};

bool Equals(const char* one, const char* other) {
  while (*one != '\0' && *one == *other) ++one, ++other;
  return *one == *other;
}

// What Node 24 and 26 call their main thread, and so, as far as the kernel knows, the process.
bool IsNameOfAThread(const char* name) {
  return Equals(name, "MainThread") || Equals(name, "node-MainThread");
}

// Up to a line's end.
void Copy(const char* from, Name& name) {
  size_t length = 0;
  for (; length + 1 < kNameSize && from[length] != '\0' && from[length] != '\n'; ++length) {
    name[length] = from[length];
  }
  name[length] = '\0';
}

}  // namespace

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

void PrepareSenderNames() {
  char self[24];
  proc_is_ours.store(proc::ReadLink("/proc/self", self, sizeof self) &&
                     proc::Number(self) == getpid());
  // The first look is the slowest one, and should not be the first signal's.
  Name unused = {};
  ReadSenderName(getpid(), unused);
}

void ReadSenderName(int64_t pid, Name& name) noexcept {
  if (!proc_is_ours.load(std::memory_order_relaxed)) return;
  char comm[24];  // the kernel has 16 bytes for it (TASK_COMM_LEN)
  if (!proc::Read(proc::Path("/proc/", pid, "/comm").text, comm, sizeof comm)) return;
  Copy(comm, name);
  if (!IsNameOfAThread(name)) return;
  char executable[512];
  if (!proc::ReadLink(proc::Path("/proc/", pid, "/exe").text, executable, sizeof executable)) {
    return;  // another user's: not for our eyes (ptrace(2))
  }
  char* base = executable;
  for (char* at = executable; *at != '\0'; ++at) {
    if (*at == '/') base = at + 1;
    if (Equals(at, " (deleted)")) *at = '\0';  // proc(5): follows the name of a file that is gone
    if (*at == '\0') break;
  }
  if (*base != '\0') Copy(base, name);
}

void RaiseOnThisThread(int signum) noexcept {
  syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), signum);
}

dispositions::Range dispositions::RealTimeSignals() { return {SIGRTMIN, SIGRTMAX}; }

}  // namespace daemoniker
