#include "session.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "other_process.h"
#include "posix/process_tree.h"

namespace daemoniker::session {

void KeepDescriptors() {
  DIR* descriptors = opendir("/dev/fd");
  if (descriptors == nullptr) descriptors = opendir("/proc/self/fd");  // a container may lack it
  if (descriptors == nullptr) return;
  while (const struct dirent* entry = readdir(descriptors)) {
    const int descriptor = std::atoi(entry->d_name);
    const int flags = descriptor > STDERR_FILENO ? fcntl(descriptor, F_GETFD) : -1;
    if (flags >= 0) fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC);
  }
  closedir(descriptors);
}

int Open(int64_t leader, Id* id) {
  *id = static_cast<Id>(leader);
  return 0;
}

void Close(Id) {}

// su(1), sudo(8) and others begin another session, but stay its parent.
bool Contains(Id id, int64_t pid) {
  for (int64_t one = pid; one > 1; one = process::ParentOf(one)) {
    if (getsid(static_cast<pid_t>(one)) == id) return true;
  }
  return false;
}

std::vector<int64_t> Signal(Id id, int signum) {
  std::vector<int64_t> all = process::All();
  std::vector<int64_t> members;
  // Without descriptors, or without /proc: its first process group is what can be reached.
  if (all.empty() && kill(-static_cast<pid_t>(id), signum) == 0) members.push_back(id);
  for (const int64_t pid : all) {
    if (!Contains(id, pid)) continue;
    process::Handle handle = process::kNoHandle;
    if (process::Open(pid, &handle) == -ESRCH) continue;
    process::Description description;
    const int error = process::Describe(pid, handle, &description);
    // Asked again: now it is known which process that is.
    if (error != -ESRCH && !(error == 0 && description.zombie) && Contains(id, pid)) {
      members.push_back(pid);
      if (signum != 0) process::Signal(pid, handle, signum);
    }
    process::Close(handle);
  }
  return members;
}

}  // namespace daemoniker::session
