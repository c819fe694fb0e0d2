#include "posix/file_lock.h"

#include <fcntl.h>

#include <cerrno>
#include <climits>

namespace daemoniker {
namespace {

// The length of our locks says which descriptor holds them, so that whoever checks the holder need
// not search all of a busy server's descriptors. Any length beyond this covers the whole file.
constexpr off_t kWholeFile = off_t{1} << 40;

}  // namespace

LockState LockWholeFile(int fd) {
  // l_pid must be 0 (fcntl(2), open file description locks).
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_len = kWholeFile + fd;
  int result;
  do {
    result = fcntl(fd, F_OFD_SETLK, &lock);
  } while (result != 0 && errno == EINTR);  // on a remote file system
  if (result == 0) return LockState::kFree;
  // POSIX.1-2017, fcntl: these two mean that somebody else has a lock; EBADF, that the file is open
  // for reading only. All others, that there are no locks here: a file system without them (its
  // number for that differs), an old kernel, a seccomp filter.
  if (errno != EAGAIN && errno != EACCES && errno != EBADF) return LockState::kUnsupported;
  int unused;
  const LockState state = TestLock(fd, &unused);
  return state == LockState::kFree ? LockState::kObstructed : state;
}

void Unlock(int fd) {
  struct flock lock = {};
  lock.l_type = F_UNLCK;
  lock.l_whence = SEEK_SET;
  fcntl(fd, F_OFD_SETLK, &lock);
}

LockState TestLock(int fd, int* descriptor) {
  *descriptor = -1;
  struct flock lock = {};
  lock.l_type = F_RDLCK;
  lock.l_whence = SEEK_SET;
  int result;
  do {
    result = fcntl(fd, F_OFD_GETLK, &lock);
  } while (result != 0 && errno == EINTR);
  if (result != 0) return LockState::kUnsupported;
  if (lock.l_type == F_UNLCK) return LockState::kFree;
  const off_t said = lock.l_len - kWholeFile;
  if (lock.l_start == 0 && said >= 0 && said <= INT_MAX) *descriptor = static_cast<int>(said);
  return LockState::kHeld;
}

}  // namespace daemoniker
