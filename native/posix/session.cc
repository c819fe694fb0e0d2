#include "session.h"

#include <unistd.h>

#include "other_process.h"
#include "posix/all_processes.h"

namespace daemoniker::session {

int Open(int64_t leader, Id* id) {
  *id = static_cast<Id>(leader);
  return 0;
}

void Close(Id) {}

bool Contains(Id id, int64_t pid) { return getsid(static_cast<pid_t>(pid)) == id; }

int Signal(Id id, int signum) {
  int count = 0;
  for (const int64_t pid : process::All()) {
    process::Handle handle = process::kNoHandle;
    if (!Contains(id, pid) || process::Open(pid, &handle) != 0) continue;
    process::Description description;
    // Once more: now it is known which process that is.
    if (Contains(id, pid) && process::Describe(pid, handle, &description) == 0 &&
        !description.zombie) {
      ++count;
      if (signum != 0) process::Signal(pid, handle, signum);
    }
    process::Close(handle);
  }
  return count;
}

}  // namespace daemoniker::session
