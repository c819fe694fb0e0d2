// Reading small files of /proc(5) without allocating, and without anything that is not
// async-signal-safe. open(3) and read(3) of the C library are cancellation points: interrupted in a
// thread that is being cancelled (pthread_cancel(3)), they would not return. syscall(2) is none.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>

namespace daemoniker::proc {

// "/proc/<id><file>", or "/proc/self/task/<id><file>" and the like.
struct Path {
  char text[64];

  Path(const char* directory, int64_t id, const char* file) noexcept {
    size_t length = Append(0, directory);
    char digits[20];
    size_t count = 0;
    for (; id > 0; id /= 10) digits[count++] = static_cast<char>('0' + id % 10);
    while (count > 0) text[length++] = digits[--count];
    Append(length, file);
  }

 private:
  size_t Append(size_t length, const char* more) noexcept {
    while (*more != '\0') text[length++] = *more++;
    text[length] = '\0';
    return length;
  }
};

// The first bytes of a file, ending in a zero byte. False when it cannot be read.
inline bool Read(const char* path, char* text, size_t size) noexcept {
  const long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const long length = syscall(SYS_read, fd, text, size - 1);
  syscall(SYS_close, fd);
  if (length < 0) return false;
  text[length] = '\0';
  return true;
}

// The same for a symbolic link.
inline bool ReadLink(const char* path, char* text, size_t size) noexcept {
  const long length = syscall(SYS_readlinkat, AT_FDCWD, path, text, size - 1);
  if (length < 0) return false;
  text[length] = '\0';
  return true;
}

// The number that `text` begins with; behind it in `*rest`.
inline int64_t Number(const char* text, const char** rest = nullptr) noexcept {
  int64_t number = 0;
  for (; *text >= '0' && *text <= '9'; ++text) number = number * 10 + (*text - '0');
  if (rest != nullptr) *rest = text;
  return number;
}

}  // namespace daemoniker::proc
