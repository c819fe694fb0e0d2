// For scripts/test-darwin.mjs: gives native/darwin/siginfo.cc on Linux what it would get from XNU.
// That file is compiled with its two readers of siginfo_t renamed, and these stand in their place.
#include "posix/siginfo.h"

#include <fcntl.h>
#include <libproc.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

namespace daemoniker {

void ReadSiginfoOfXnu(const siginfo_t& info, Arrival* arrival) noexcept;
bool IsAbortOfThisProcessOnXnu(const siginfo_t& info) noexcept;

namespace {

// XNU's si_code is 0 however the signal was sent. Linux' other codes, a timer's for example, stand
// for what XNU has there when SIGCHLD came between.
siginfo_t AsOfXnu(siginfo_t info) noexcept {
  if (info.si_code == SI_TKILL || info.si_code == SI_USER || info.si_code == SI_KERNEL) {
    info.si_code = 0;
  }
  return info;
}

}  // namespace

void ReadSiginfo(const siginfo_t& info, Arrival* arrival) noexcept {
  ReadSiginfoOfXnu(AsOfXnu(info), arrival);
}

bool IsAbortOfThisProcess(const siginfo_t& info) noexcept {
  return IsAbortOfThisProcessOnXnu(AsOfXnu(info));
}

}  // namespace daemoniker

// Async-signal-safe, but for snprintf().
int proc_pidinfo(int pid, int, uint64_t, void* buffer, int size) {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/%d/comm", pid);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return 0;
  auto* info = static_cast<proc_bsdshortinfo*>(buffer);
  *info = {};
  const ssize_t length = read(file, info->pbsi_comm, sizeof info->pbsi_comm - 1);
  close(file);
  if (length <= 0) return 0;
  if (info->pbsi_comm[length - 1] == '\n') info->pbsi_comm[length - 1] = '\0';
  return size;
}
