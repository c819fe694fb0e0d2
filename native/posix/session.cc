#include "session.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <map>
#include <utility>

#include "other_process.h"
#include "posix/process_tree.h"

namespace daemoniker::session {
namespace {

struct Session {
  pid_t leader;
  // When each that has been seen was born: they belong to it also when their parents have ended.
  std::map<int64_t, double> known;
};

Session* SessionOf(Id id) { return reinterpret_cast<Session*>(id); }

// 0 where it is not known.
double BirthOf(int64_t pid) {
  process::Description description;
  const int error = process::Describe(pid, process::kNoHandle, &description);
  return error == 0 ? description.birth : 0;
}

}  // namespace

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
  *id = reinterpret_cast<Id>(new Session{static_cast<pid_t>(leader), {}});
  return 0;
}

void Close(Id id) { delete SessionOf(id); }

// su(1), sudo(8) and others begin another session, but stay its parent.
bool Contains(Id id, int64_t pid) {
  const Session& session = *SessionOf(id);
  for (int64_t one = pid; one > 1; one = process::ParentOf(one)) {
    if (getsid(static_cast<pid_t>(one)) == session.leader) return true;
    const auto known = session.known.find(one);
    if (known != session.known.end() && BirthOf(one) == known->second) return true;
  }
  return false;
}

std::vector<int64_t> Signal(Id id, int signum) {
  Session& session = *SessionOf(id);
  std::vector<int64_t> pids;
  const std::vector<int64_t> all = process::All();
  // Without descriptors, or without /proc: its first process group is what can be reached.
  if (all.empty() && kill(-session.leader, signum) == 0) pids.push_back(session.leader);
  std::vector<std::pair<int64_t, process::Handle>> members;
  std::map<int64_t, double> known;
  for (const int64_t pid : all) {
    if (!Contains(id, pid)) continue;
    process::Handle handle = process::kNoHandle;
    if (process::Open(pid, &handle) == -ESRCH) continue;
    process::Description description;
    const int error = process::Describe(pid, handle, &description);
    // Asked again: now it is known which process that is.
    if (error != -ESRCH && !(error == 0 && description.zombie) && Contains(id, pid)) {
      members.emplace_back(pid, handle);
      if (error == 0) known[pid] = description.birth;
    } else {
      process::Close(handle);
    }
  }
  session.known = std::move(known);
  // Only now: whose parent ends is nobody's descendant any more.
  for (const auto& [pid, handle] : members) {
    pids.push_back(pid);
    if (signum != 0) process::Signal(pid, handle, signum);
    process::Close(handle);
  }
  return pids;
}

}  // namespace daemoniker::session
