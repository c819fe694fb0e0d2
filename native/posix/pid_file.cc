#include "pid_file.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <iterator>

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

// Each descriptor that holds a lock, or is about to take one, plus 1; 0 is a free place. A child
// that is forked without exec(3) must close its copy, whatever the other threads were doing at that
// moment: so nothing that a mutex protects, and each is here before it is locked. (What such a
// child keeps is one that was opened in the very instant of the fork, and more than these.)
std::atomic<int> held_descriptors[128];

void Remember(int fd) {
  for (std::atomic<int>& place : held_descriptors) {
    int none = 0;
    if (place.compare_exchange_strong(none, fd + 1)) return;
  }
}

void Forget(int fd) {
  for (std::atomic<int>& place : held_descriptors) {
    int own = fd + 1;
    if (place.compare_exchange_strong(own, 0)) return;
  }
}

// As open(2), for a file that is to be locked.
int OpenToHold(const char* path, int flags) {
  const int fd = open(path, flags, 0644);
  if (fd >= 0) Remember(fd);
  return fd;
}

// What OpenToHold() gave. It is forgotten before it is closed, as the number may mean another file
// at once; so a child that is forked in between has a copy, which must not keep the lock.
void LetGo(int fd) {
  Unlock(fd);
  Forget(fd);
  close(fd);
}

// In the child, where the locks are the parent's: nothing but close(2).
void CloseHeld() {
  for (std::atomic<int>& place : held_descriptors) {
    const int fd = place.exchange(0) - 1;
    if (fd >= 0) close(fd);
  }
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
    return OpenToHold(path, flags);
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

// Whether nobody holds this file, as far as we can see.
bool IsUnlocked(const std::string& path) {
  constexpr int kFlags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  const Descriptor file(open(path.c_str(), kFlags));
  int unused;
  return file.valid() && TestLock(file.get(), &unused) == LockState::kFree;
}

// Lets others get on. For different times, so that two who lost do not go on in step.
void Pause(int round) {
  if (round < 100) {
    sched_yield();
    return;
  }
  const long spread = static_cast<long>((WallMicroseconds() * 31 + getpid()) % 900);
  const struct timespec time = {0, (100 + spread) * 1000};
  nanosleep(&time, nullptr);
}

// What came out is another one's new file. Everybody who lost goes on until the own file is back,
// so that the winner's is the one that stays at `path`. While another one who lost has ours, we
// wait for it. If it was killed, ours is out of reach, and we end with its file, which nobody holds
// any more.
void TakeBack(int fresh, const std::string& temporary, const std::string& path) {
  constexpr int64_t kPatience = 10'000 * kMillisecond;
  const int64_t end = SteadyNanoseconds() + kPatience;
  for (int round = 0; round == 0 || SteadyNanoseconds() < end; ++round) {
    if (Exchange(temporary.c_str(), path.c_str()) != 0) return;
    if (IsAt(fresh, temporary.c_str()) || IsUnlocked(temporary)) {
      unlink(temporary.c_str());
      return;
    }
    Pause(round);
  }
}

// Puts the new file, which is at `temporary`, in the place of the stale one; nothing of it is left
// at `temporary`.
Replacement PutInPlace(int stale, bool is_locked, int fresh, const std::string& temporary,
                       const std::string& path) {
  Replacement result = Replacement::kLost;
  // Whoever comes late does not even touch the winner's file.
  if (IsAt(stale, path.c_str())) {
    const int refused = Exchange(temporary.c_str(), path.c_str());
    if (refused == 0 && !HasWon(stale, temporary)) {
      TakeBack(fresh, temporary, path);
      return Replacement::kLost;
    }
    if (refused == 0) {
      result = Replacement::kDone;
    } else if (CannotExchange(refused) && is_locked &&
               rename(temporary.c_str(), path.c_str()) == 0) {
      // Whoever replaces it here needs the lock that we have.
      return Replacement::kDone;
    } else if (refused != -ENOENT) {
      // A file that is mounted there alone (EBUSY), or somebody else's in a directory like /tmp.
      result = Replacement::kImpossible;
    }
  }
  unlink(temporary.c_str());
  return result;
}

// Whether open(2) of a new file failed because there is no more of something, and not because this
// directory takes none.
bool IsScarcity(int error) {
  constexpr int kScarcities[] = {EMFILE, ENFILE, ENOMEM, ENOSPC, EDQUOT};
  return std::find(std::begin(kScarcities), std::end(kScarcities), error) != std::end(kScarcities);
}

}  // namespace

void AtFork(void (*in_child)()) {
  pthread_atfork(nullptr, nullptr, CloseHeld);
  pthread_atfork(nullptr, nullptr, in_child);
}

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
    int fd = OpenToHold(path.c_str(), kFlags | O_RDWR | O_CREAT | O_EXCL);
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
  if (native_ >= 0) LetGo(static_cast<int>(native_));
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
                           const std::string& mark, Replaced* replaced) {
  *replaced = {};
  const std::string temporary = TemporaryPath(path);
  constexpr int kFlags = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  const int fresh = OpenToHold(temporary.c_str(), kFlags);
  if (fresh < 0) {
    if (IsScarcity(errno)) replaced->open_error = -errno;
    return 0;
  }
  replaced->lock = LockWholeFile(fresh);
  const bool is_locked = replaced->lock == LockState::kFree;
  const int error = WriteAtOnce(fresh, is_locked ? content + mark : content);
  if (error != 0) {
    unlink(temporary.c_str());
  } else {
    replaced->result = PutInPlace(static_cast<int>(native_), has_lock_, fresh, temporary, path);
  }
  if (replaced->result != Replacement::kDone) {
    LetGo(fresh);
    return error;
  }
  Close();
  native_ = fresh;
  write_error_ = 0;
  has_lock_ = is_locked;
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
