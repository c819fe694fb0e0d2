// What a platform must provide: other processes, looked at and signalled.
//
//   native/linux/process.cc    pidfd_open(2), /proc
//   native/darwin/process.cc   kill(2), proc_pidinfo, sysctl
//   native/posix/child.cc      waitid(2)
//   native/win32/process.cc    OpenProcess, GetProcessTimes, the signal pipe
//
// Errors are libuv's numbers (negative).
#pragma once

#include <cstdint>
#include <string>

namespace daemoniker {

// Which file, wherever it is called from.
struct FileId {
  uint64_t device = 0;
  uint64_t index = 0;  // inode number, or the Windows file index

  bool operator==(const FileId& other) const {
    return device == other.device && index == other.index;
  }
};

enum class Holds { kNo, kYes, kUnknown };

namespace process {

// This process. Differs from what it was in a child that was forked without exec(3).
int64_t Current();

// A handle that means exactly this process even after its PID was reused: a pidfd, a Windows
// HANDLE.
using Handle = intptr_t;
constexpr Handle kNoHandle = -1;

// `handle` is kNoHandle, with 0 returned, where the system has no such handles (macOS; Linux
// before 5.3, or seccomp). ESRCH when there is no such process.
int Open(int64_t pid, Handle* handle);
void Close(Handle handle);

struct Description {
  bool zombie = false;       // it has ended; its parent has not asked for its status yet
  double started_at_ms = 0;  // since the epoch, by the clock as it goes now
  // Another one for another process of the same number, and always the same for this one, whatever
  // is done to the clock: when it started, in the system's own units.
  double birth = 0;
  // 0 where it is not known. On Windows it may have ended, and its number mean another process.
  int64_t parent = 0;
};
int Describe(int64_t pid, Handle handle, Description* description);

// For people to read. Empty where it is not known.
struct Details {
  std::string command;     // with its arguments on Linux, else the program alone
  std::string user;        // by name
  bool suspended = false;  // by SIGSTOP and its like; not known on Windows
};
Details DetailsOf(int64_t pid, Handle handle);

// Whether it is a child of this process whose end nobody has asked for yet, so that its number
// cannot mean another one.
bool IsChild(int64_t pid);

// The user that it runs as, for comparison with a file's owner. ENOTSUP on Windows.
int Owner(int64_t pid, int64_t* uid);

// What hardly ever is the daemon that a file means, and must not be ended by mistake.
enum class Role : int32_t {
  kOrdinary = 0,
  // PID 1, unless it is the main program of the container that this process is in, sees the same
  // files, and belongs to `file_owner`. Windows: a process that the system cannot run without.
  kInit = 1,
  kKernel = 2,    // a thread of the Linux kernel; Windows: System
  kAncestor = 3,  // this process is its child, or a child of such a child
};
Role RoleOf(int64_t pid, int64_t file_owner);

// Whether that process itself, and not just anybody, holds a lock on the file. `path` is where the
// file was found (Windows can only ask about an open file), `descriptor` where to look first, or
// -1.
Holds HoldsLock(int64_t pid, const FileId& file, const std::string& path, int descriptor);

// Sends `signum`; 0 only checks that it may. On Windows, see signal_pipe.h.
int Signal(int64_t pid, Handle handle, int signum);

}  // namespace process
}  // namespace daemoniker
