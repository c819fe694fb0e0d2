// What a platform must provide: a file that one process can hold, and that others can examine
// without disturbing the holder.
//
//   native/posix/pid_file.cc   open(2); its lock in native/posix/file_lock.cc
//   native/linux/exchange.cc   renameat2(2)
//   native/darwin/exchange.cc  renamex_np(2)
//   native/win32/pid_file.cc   CreateFileW, LockFileEx
//
// The rules of PID files are not here but in lib/pid_file.ts and lib/identity.ts. Errors are
// libuv's numbers (negative).
#pragma once

#include <cstdint>
#include <string>

#include "other_process.h"

namespace daemoniker {

enum class LockState : int32_t {
  kFree = 0,
  kHeld = 1,
  kUnsupported = 2,
  // Nobody holds it, but we cannot take it: somebody reads it under a lock, or we may not write it.
  kObstructed = 3,
};

// Enough to tell a PID from anything else without reading a megabyte of it.
constexpr size_t kPidFileReadLimit = 64;

enum class FileKind : int32_t { kRegular = 0, kDirectory = 1, kFifo = 2, kOther = 3 };

struct FileReport {
  FileKind kind = FileKind::kOther;
  FileId id;
  double modified_at_ms = 0;  // since the epoch
  uint32_t mode = 0;          // permission bits; 0 on Windows
  int64_t uid = -1;           // owner; -1 on Windows
  int64_t link_uid = -1;  // owner of the symbolic link that `path` is; -1 when it is none; 0 for
                          // one on Windows
  uint64_t size = 0;
  int lock_descriptor = -1;  // what the holder of the lock says it holds it by; a hint
  std::string content;       // the first kPidFileReadLimit bytes of a regular file
};

// Looks without touching: never waits (FIFO), never takes a lock. `failed_call` names the system
// call for the error message.
int ExaminePidFile(const std::string& path, FileReport* report, LockState* lock,
                   const char** failed_call);

// What became of the attempt to put a new file in the place of a stale one.
enum class Replacement { kDone, kLost, kImpossible };
struct Replaced {
  Replacement result = Replacement::kImpossible;
  LockState lock = LockState::kUnsupported;  // that of the new file
  // kImpossible: why no new file could be opened, unless that is because the directory takes none.
  int open_error = 0;
};

// In every child that is forked without exec(3), closes what PidFileHandles have open and calls
// this, which may only do what a signal handler may. Windows has no such children.
void AtFork(void (*in_child)());

class PidFileHandle {
 public:
  PidFileHandle() = default;
  PidFileHandle(const PidFileHandle&) = delete;
  PidFileHandle& operator=(const PidFileHandle&) = delete;
  ~PidFileHandle() { Close(); }

  // For writing, or for reading if it may not be written; created with mode 0644 less the umask
  // when missing; a symbolic link at `path` is ELOOP. `created` tells whether it was missing.
  int Open(const std::string& path, bool* created);
  void Close();
  // In a child of fork(2), which has closed it.
  void Forget() { native_ = -1; }
  bool IsWritable() const { return write_error_ == 0; }
  // Why not; 0 if it is.
  int write_error() const { return write_error_; }

  LockState TryLock();
  int Report(FileReport* report);
  // Replaces the content.
  int Write(const std::string& content);
  // Puts a new file in the place of this one, which must be stale, and means that one from then on.
  // Its content is there, and its lock held, before anybody can see it. `mark` is added to the
  // content if it could be locked. Of several that replace the same file at the same time, one is
  // kDone and the others kLost, even if none of them holds a lock on the old one. (But one that is
  // killed, or stopped for ten seconds, between two steps of losing can leave its own file there.)
  // kImpossible leaves everything as it was. 0, or an error number, as of Write().
  int Replace(const std::string& path, const std::string& content, const std::string& mark,
              Replaced* replaced);
  // False when `path`, which Open() got, names another file by now, or none.
  bool IsStillAt(const std::string& path);
  // Deletes the file if `path` still names it; empties it where it may not be deleted. May close
  // the file. Allocates nothing and takes no lock.
  void Remove(const std::string& path);

 private:
  intptr_t native_ = -1;
  int write_error_ = 0;
  bool has_lock_ = false;
  // On Windows, `path` in the form in which Remove() needs it.
  [[maybe_unused]] std::wstring kernel_path_;
};

}  // namespace daemoniker
