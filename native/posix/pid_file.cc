#include "pid_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>

#include "clock.h"
#include "posix/descriptor.h"
#include "posix/exchange.h"
#include "posix/file_lock.h"

namespace daemoniker {
namespace {

FileId IdOf(const struct stat& status) {
  return {static_cast<uint64_t>(status.st_dev), static_cast<uint64_t>(status.st_ino)};
}

double ModifiedAt(const struct stat& status) {
#ifdef __APPLE__
  const struct timespec& time = status.st_mtimespec;
#else
  const struct timespec& time = status.st_mtim;
#endif
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

FileKind KindOf(const struct stat& status) {
  if (S_ISREG(status.st_mode)) return FileKind::kRegular;
  if (S_ISDIR(status.st_mode)) return FileKind::kDirectory;
  if (S_ISFIFO(status.st_mode)) return FileKind::kFifo;
  return FileKind::kOther;
}

// 0, or a libuv error number.
int FillReport(int fd, FileReport* report, const char** failed_call) {
  *failed_call = "fstat";
  struct stat status;
  if (fstat(fd, &status) != 0) return -errno;
  report->kind = KindOf(status);
  report->id = IdOf(status);
  report->modified_at_ms = ModifiedAt(status);
  report->mode = status.st_mode & 07777;
  report->uid = status.st_uid;
  report->size = static_cast<uint64_t>(status.st_size);
  if (report->kind != FileKind::kRegular) return 0;

  *failed_call = "read";
  char buffer[kPidFileReadLimit];
  const ssize_t length = pread(fd, buffer, sizeof buffer, 0);
  if (length < 0) return -errno;
  report->content.assign(buffer, static_cast<size_t>(length));
  return 0;
}

// Opens what exists if it is a regular file. Others are not even touched: a device may react to it,
// a FIFO's other end may be waiting for somebody to come. -1 with errno.
int OpenRegular(const char* path, int flags) {
  struct stat status;
  if (lstat(path, &status) != 0) return -1;
  if (S_ISLNK(status.st_mode)) {
    errno = ELOOP;  // as O_NOFOLLOW
  } else if (S_ISDIR(status.st_mode)) {
    errno = EISDIR;
  } else if (!S_ISREG(status.st_mode)) {
    errno = ENXIO;  // as for a socket
  } else {
    return open(path, flags);
  }
  return -1;
}

// Whether `path` names the open file.
bool IsAt(int fd, const char* path) {
  struct stat held;
  struct stat named;
  return fstat(fd, &held) == 0 && lstat(path, &named) == 0 && IdOf(held) == IdOf(named);
}

// A name in the directory of `path` that nobody else uses. Short, as that of `path` may be as long
// as names can be.
std::string TemporaryPath(const std::string& path) {
  static std::atomic<unsigned> count{0};
  char name[64];
  std::snprintf(name, sizeof name, ".daemoniker-%ld-%llx-%x", static_cast<long>(getpid()),
                static_cast<unsigned long long>(WallMicroseconds()), ++count);
  const size_t slash = path.rfind('/');
  return (slash == std::string::npos ? std::string() : path.substr(0, slash + 1)) + name;
}

int WriteAtOnce(int fd, const std::string& content) {
  // Never half a number: pwrite(2) of so few bytes is not split.
  const ssize_t written = pwrite(fd, content.data(), content.size(), 0);
  if (written < 0) return -errno;
  return static_cast<size_t>(written) == content.size() ? 0 : -ENOSPC;
}

// The new file is at `path`; at `temporary` is what came out of there. That is the stale file for
// one of all who replace it at the same time, unless somebody has taken that over in place.
bool HasWon(int stale, const std::string& temporary) {
  int unused;
  return IsAt(stale, temporary.c_str()) && TestLock(stale, &unused) != LockState::kHeld;
}

// What came out is another one's new file. Everybody who lost does this until the own file is back,
// so the winner's is the one that stays at `path`.
void TakeBack(int fresh, const std::string& temporary, const std::string& path) {
  // More than enough, unless another one was killed in the middle of this.
  constexpr int kAttempts = 10'000;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (Exchange(temporary.c_str(), path.c_str()) != 0) return;
    if (IsAt(fresh, temporary.c_str())) {
      unlink(temporary.c_str());
      return;
    }
    sched_yield();
  }
}

}  // namespace

void AtFork(void (*in_child)()) { pthread_atfork(nullptr, nullptr, in_child); }

int ExaminePidFile(const std::string& path, FileReport* report, LockState* lock,
                   const char** failed_call) {
  *failed_call = "open";
  struct stat status;
  if (lstat(path.c_str(), &status) != 0) return -errno;
  const bool is_link = S_ISLNK(status.st_mode);
  if (is_link) {
    report->link_uid = status.st_uid;
    *failed_call = "stat";
    if (stat(path.c_str(), &status) != 0) return -errno;
  }
  // A device may react to being opened; nothing but a regular file needs to be.
  report->kind = KindOf(status);
  if (report->kind != FileKind::kRegular) return 0;

  // O_NONBLOCK: should a FIFO take its place meanwhile, open(2) must not wait for a writer.
  // O_NOFOLLOW: should a link do so, its owner would not be the one that is reported.
  *failed_call = "open";
  const int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (is_link ? 0 : O_NOFOLLOW);
  const Descriptor file(open(path.c_str(), flags));
  if (!file.valid()) return -errno;
  // Both as of one moment: what is written under the lock must not be taken for a file without one.
  for (;;) {
    *lock = TestLock(file.get(), &report->lock_descriptor);
    const int error = FillReport(file.get(), report, failed_call);
    if (error != 0 || *lock != LockState::kFree) return error;
    int unused;
    if (TestLock(file.get(), &unused) != LockState::kHeld) return 0;
  }
}

int PidFileHandle::Open(const std::string& path, bool* created) {
  constexpr int kFlags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  // Whether it was missing is only known for sure with O_EXCL. Two rounds, because it may appear
  // or vanish in between.
  int error = 0;
  for (int round = 0; round < 2; ++round) {
    int fd = open(path.c_str(), kFlags | O_RDWR | O_CREAT | O_EXCL, 0644);
    *created = fd >= 0;
    write_error_ = 0;
    if (fd < 0 && errno == EEXIST) {
      fd = OpenRegular(path.c_str(), kFlags | O_RDWR);
      if (fd < 0 && (errno == EACCES || errno == EPERM || errno == EROFS)) {
        write_error_ = -errno;
        fd = OpenRegular(path.c_str(), kFlags | O_RDONLY);
      }
    }
    if (fd >= 0) {
      native_ = fd;
      return 0;
    }
    error = -errno;
    if (errno != ENOENT) break;
  }
  return error;
}

void PidFileHandle::Close() {
  if (native_ >= 0) close(static_cast<int>(native_));
  native_ = -1;
}

LockState PidFileHandle::TryLock() {
  const LockState state = LockWholeFile(static_cast<int>(native_));
  has_lock_ = state == LockState::kFree;
  return state;
}

int PidFileHandle::Report(FileReport* report) {
  const char* failed_call;
  return FillReport(static_cast<int>(native_), report, &failed_call);
}

int PidFileHandle::Write(const std::string& content) {
  const int fd = static_cast<int>(native_);
  if (ftruncate(fd, 0) != 0) return -errno;
  const int error = WriteAtOnce(fd, content);
  if (error == 0) return 0;
  // A full disk took a part: that must not be read as another PID.
  const int truncated = ftruncate(fd, 0);
  (void)truncated;
  return error;
}

int PidFileHandle::Replace(const std::string& path, const std::string& content,
                           const std::string& mark, Replacement* result, LockState* lock) {
  *result = Replacement::kImpossible;
  const std::string temporary = TemporaryPath(path);
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const int fresh = open(temporary.c_str(), kFlags, 0644);
  // A directory that we may not write, or with no room for another file.
  if (fresh < 0) return 0;
  *lock = LockWholeFile(fresh);
  int error = WriteAtOnce(fresh, *lock == LockState::kFree ? content + mark : content);
  if (error == 0) {
    const int stale = static_cast<int>(native_);
    const int refused = Exchange(temporary.c_str(), path.c_str());
    if (refused == 0 && HasWon(stale, temporary)) {
      unlink(temporary.c_str());
      *result = Replacement::kDone;
    } else if (refused == 0) {
      TakeBack(fresh, temporary, path);
      *result = Replacement::kLost;
    } else if (CannotExchange(refused) && has_lock_ &&
               rename(temporary.c_str(), path.c_str()) == 0) {
      // Whoever replaces it here needs the lock that we have.
      *result = Replacement::kDone;
    } else {
      // A file that is mounted there alone (EBUSY), or somebody else's in a directory like /tmp.
      if (refused == -ENOENT) *result = Replacement::kLost;
      unlink(temporary.c_str());
    }
  } else {
    unlink(temporary.c_str());
  }
  if (*result != Replacement::kDone) {
    close(fresh);
    return error;
  }
  Close();
  native_ = fresh;
  write_error_ = 0;
  has_lock_ = *lock == LockState::kFree;
  return 0;
}

bool PidFileHandle::IsStillAt(const std::string& path) {
  return IsAt(static_cast<int>(native_), path.c_str());
}

void PidFileHandle::Remove(const std::string& path) {
  if (!IsStillAt(path) || unlink(path.c_str()) == 0) return;
  const int truncated = ftruncate(static_cast<int>(native_), 0);
  (void)truncated;
}

}  // namespace daemoniker
