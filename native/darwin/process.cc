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

// A list that may grow between the question how long it is and the reading: the kernel fills what
// there is room for and says nothing of the rest, so after a full buffer it is read again into a
// bigger one. `expected` and what `read(buffer, bytes)` returns are numbers of entries, not
// positive where the call has failed; so is the result.
template <typename Entry, typename Read>
int ReadList(std::vector<Entry>* list, int expected, Read read) {
  while (expected > 0) {
    const int room = expected + 64;
    list->resize(static_cast<size_t>(room));
    const int found = read(list->data(), room * static_cast<int>(sizeof(Entry)));
    if (found < room) {
      list->resize(found > 0 ? static_cast<size_t>(found) : 0);
      return found;
    }
    expected = 2 * room;
  }
  return expected;
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
  std::vector<pid_t> pids;
  const int count = ReadList(&pids, proc_listallpids(nullptr, 0),
                             [](pid_t* into, int bytes) { return proc_listallpids(into, bytes); });
  if (count <= 0) return {};
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
  std::vector<struct proc_fdinfo> descriptors;
  const auto count_of = [](int bytes) {
    return bytes / static_cast<int>(sizeof(struct proc_fdinfo));
  };
  errno = 0;
  const int count =
      ReadList(&descriptors, count_of(proc_pidinfo(process, PROC_PIDLISTFDS, 0, nullptr, 0)),
               [process, count_of](struct proc_fdinfo* into, int bytes) {
                 return count_of(proc_pidinfo(process, PROC_PIDLISTFDS, 0, into, bytes));
               });
  if (count <= 0) return errno == ESRCH ? Holds::kNo : Holds::kUnknown;
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
