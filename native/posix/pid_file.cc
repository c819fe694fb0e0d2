#include "pid_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "posix/descriptor.h"
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

}  // namespace

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
  *lock = TestLock(file.get(), &report->lock_descriptor);
  return FillReport(file.get(), report, failed_call);
}

int PidFileHandle::Open(const std::string& path, bool* created) {
  constexpr int kFlags = O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  // Whether it was missing is only known for sure with O_EXCL. Two rounds, because it may appear
  // or vanish in between.
  int error = 0;
  for (int round = 0; round < 2; ++round) {
    int fd = open(path.c_str(), kFlags | O_CREAT | O_EXCL, 0644);
    *created = fd >= 0;
    if (fd < 0 && errno == EEXIST) fd = OpenRegular(path.c_str(), kFlags);
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

LockState PidFileHandle::TryLock() { return LockWholeFile(static_cast<int>(native_)); }

int PidFileHandle::Report(FileReport* report) {
  const char* failed_call;
  return FillReport(static_cast<int>(native_), report, &failed_call);
}

int PidFileHandle::Write(const std::string& content) {
  const int fd = static_cast<int>(native_);
  // Empty in between and never half a number: pwrite(2) of so few bytes is not split.
  if (ftruncate(fd, 0) != 0) return -errno;
  const ssize_t written = pwrite(fd, content.data(), content.size(), 0);
  if (written < 0) return -errno;
  if (static_cast<size_t>(written) == content.size()) return 0;
  // A full disk took a part: that must not be read as another PID.
  const int truncated = ftruncate(fd, 0);
  (void)truncated;
  return -ENOSPC;
}

bool PidFileHandle::IsStillAt(const std::string& path) {
  struct stat held;
  struct stat named;
  return fstat(static_cast<int>(native_), &held) == 0 && lstat(path.c_str(), &named) == 0 &&
         IdOf(held) == IdOf(named);
}

void PidFileHandle::Remove(const std::string& path) {
  if (!IsStillAt(path) || unlink(path.c_str()) == 0) return;
  const int truncated = ftruncate(static_cast<int>(native_), 0);
  (void)truncated;
}

}  // namespace daemoniker
