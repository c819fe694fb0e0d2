#include <libproc.h>
#include <sys/proc_info.h>
#include <sys/sysctl.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <vector>

#include "other_process.h"
#include "posix/process_tree.h"
#include "posix/user_name.h"

namespace daemoniker::process {
namespace {

int Look(int64_t pid, struct kinfo_proc* info) {
  int name[] = {CTL_KERN, KERN_PROC, KERN_PROC_PID, static_cast<int>(pid)};
  size_t size = sizeof *info;
  if (sysctl(name, 4, info, &size, nullptr, 0) != 0) return -errno;
  return size == 0 ? -ESRCH : 0;
}

}  // namespace

int64_t Current() { return getpid(); }

int Open(int64_t pid, Handle* handle) {
  *handle = kNoHandle;
  struct kinfo_proc info;
  return Look(pid, &info);
}

void Close(Handle) {}

int Describe(int64_t pid, Handle, Description* description) {
  struct kinfo_proc info;
  const int error = Look(pid, &info);
  if (error != 0) return error;
  description->zombie = info.kp_proc.p_stat == SZOMB;
  const struct timeval& started = info.kp_proc.p_starttime;
  description->started_at_ms =
      static_cast<double>(started.tv_sec) * 1e3 + static_cast<double>(started.tv_usec) / 1e3;
  description->birth = description->started_at_ms;
  description->parent = info.kp_eproc.e_ppid;
  return 0;
}

Details DetailsOf(int64_t pid, Handle) {
  Details details;
  char path[PROC_PIDPATHINFO_MAXSIZE];
  if (proc_pidpath(static_cast<int>(pid), path, sizeof path) > 0) details.command = path;
  struct kinfo_proc info;
  if (Look(pid, &info) != 0) return details;
  if (details.command.empty()) details.command = info.kp_proc.p_comm;
  details.suspended = info.kp_proc.p_stat == SSTOP;
  details.user = UserName(info.kp_eproc.e_pcred.p_ruid);
  return details;
}

std::vector<int64_t> All() {
  const int count = proc_listallpids(nullptr, 0);
  if (count <= 0) return {};
  // Some may be added meanwhile.
  std::vector<pid_t> pids(static_cast<size_t>(count) + 64);
  const int found = proc_listallpids(pids.data(), static_cast<int>(pids.size() * sizeof(pid_t)));
  pids.resize(found > 0 ? static_cast<size_t>(found) : 0);
  return std::vector<int64_t>(pids.begin(), pids.end());
}

int64_t ParentOf(int64_t pid) {
  struct kinfo_proc info;
  return Look(pid, &info) == 0 ? info.kp_eproc.e_ppid : 0;
}

int Owner(int64_t pid, int64_t* uid) {
  struct kinfo_proc info;
  const int error = Look(pid, &info);
  if (error != 0) return error;
  *uid = info.kp_eproc.e_pcred.p_ruid;
  return 0;
}

Role RoleOf(int64_t pid, int64_t) {
  if (pid == 1) return Role::kInit;
  int64_t ancestor = getppid();
  while (ancestor > 1 && ancestor != pid) ancestor = ParentOf(ancestor);
  return ancestor == pid ? Role::kAncestor : Role::kOrdinary;
}

// There is no call that tells the owner of a lock on an open file description (F_OFD_GETLKPID is
// private to XNU). The file is known to be locked when this is asked; a process that also has it
// open is taken for the holder.
Holds HoldsLock(int64_t pid, const FileId& file, const std::string&, int) {
  const int process = static_cast<int>(pid);
  const int size = proc_pidinfo(process, PROC_PIDLISTFDS, 0, nullptr, 0);
  if (size <= 0) return errno == ESRCH ? Holds::kNo : Holds::kUnknown;
  std::vector<struct proc_fdinfo> descriptors(static_cast<size_t>(size) /
                                              sizeof(struct proc_fdinfo));
  const int used = proc_pidinfo(process, PROC_PIDLISTFDS, 0, descriptors.data(), size);
  if (used <= 0) return Holds::kUnknown;
  descriptors.resize(static_cast<size_t>(used) / sizeof(struct proc_fdinfo));
  for (const struct proc_fdinfo& descriptor : descriptors) {
    if (descriptor.proc_fdtype != PROX_FDTYPE_VNODE) continue;
    struct vnode_fdinfo vnode;
    if (proc_pidfdinfo(process, descriptor.proc_fd, PROC_PIDFDVNODEINFO, &vnode, sizeof vnode) !=
        static_cast<int>(sizeof vnode)) {
      continue;
    }
    const struct vinfo_stat& status = vnode.pvi.vi_stat;
    if (FileId{static_cast<uint64_t>(static_cast<dev_t>(status.vst_dev)), status.vst_ino} == file) {
      return Holds::kYes;
    }
  }
  return Holds::kNo;
}

int Signal(int64_t pid, Handle, int signum) {
  // kill(2) takes 0 and negative numbers for whole groups.
  if (pid <= 0) return -EINVAL;
  return kill(static_cast<pid_t>(pid), signum) == 0 ? 0 : -errno;
}

}  // namespace daemoniker::process
