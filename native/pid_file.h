// What a platform must provide: a file that one process can hold, and that others can examine
// without disturbing the holder.
//
//   native/posix/pid_file.cc   open(2); its lock in native/posix/file_lock.cc
//   native/win32/pid_file.cc   CreateFileW, LockFileEx
//
// The rules of PID files are not here but in lib/pid_file.ts and lib/identity.ts. Errors are
// libuv's numbers (negative).
#pragma once

#include <cstdint>
#include <string>

#include "other_process.h"

namespace daemoniker {

enum class LockState { kFree, kHeld, kUnsupported };

// Enough to tell a PID from anything else without reading a megabyte of it.
constexpr size_t kPidFileReadLimit = 64;

enum class FileKind : int32_t { kRegular = 0, kDirectory = 1, kFifo = 2, kOther = 3 };

struct FileReport {
  FileKind kind = FileKind::kOther;
  FileId id;
  double modified_at_ms = 0;  // since the epoch
  uint32_t mode = 0;          // permission bits; 0 on Windows
  int64_t uid = -1;           // owner; -1 on Windows
  int64_t link_uid = -1;      // owner of the symbolic link that `path` is; -1 when it is none
  uint64_t size = 0;
  int lock_descriptor = -1;  // what the holder of the lock says it holds it by; a hint
  std::string content;       // the first kPidFileReadLimit bytes of a regular file
};

// Looks without touching: never waits (FIFO), never takes a lock. `failed_call` names the system
// call for the error message.
int ExaminePidFile(const std::string& path, FileReport* report, LockState* lock,
                   const char** failed_call);

class PidFileHandle {
 public:
  PidFileHandle() = default;
  PidFileHandle(const PidFileHandle&) = delete;
  PidFileHandle& operator=(const PidFileHandle&) = delete;
  ~PidFileHandle() { Close(); }

  // For writing; created with mode 0644 less the umask when missing; a symbolic link at `path` is
  // ELOOP. `created` tells whether it was missing.
  int Open(const std::string& path, bool* created);
  void Close();

  LockState TryLock();
  int Report(FileReport* report);
  // Replaces the content.
  int Write(const std::string& content);
  // False when `path`, which Open() got, names another file by now, or none.
  bool IsStillAt(const std::string& path);
  // Deletes the file if `path` still names it; empties it where it may not be deleted. Allocates
  // nothing and takes no lock.
  void Remove(const std::string& path);

 private:
  intptr_t native_ = -1;
  // On Windows, `path` in the form in which Remove() needs it.
  [[maybe_unused]] std::wstring kernel_path_;
};

}  // namespace daemoniker
