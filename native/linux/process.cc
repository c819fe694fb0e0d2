#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "other_process.h"
#include "posix/descriptor.h"
#include "posix/process_tree.h"
#include "posix/user_name.h"

// The numbers are the same on every architecture (include/uapi/asm-generic/unistd.h); older C
// libraries do not name them.
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

namespace daemoniker::process {
namespace {

// The first bytes of a file in /proc. 0, or a libuv error number.
int ReadProcPath(const char* path, std::string* text) {
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  if (!file.valid()) return errno == ENOENT ? -ESRCH : -errno;
  char buffer[1024];
  const ssize_t length = read(file.get(), buffer, sizeof buffer);
  if (length < 0) return -errno;
  text->assign(buffer, static_cast<size_t>(length));
  return 0;
}

int ReadProc(int64_t pid, const char* name, std::string* text) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%lld/%s", static_cast<long long>(pid), name);
  return ReadProcPath(path, text);
}

// proc(5): the arguments, each with a zero byte at its end; none of a zombie or a thread of the
// kernel. They may be megabytes; what is left out of them is told by an ellipsis.
std::string CommandLine(int64_t pid) {
  constexpr size_t kMost = 65536;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%lld/cmdline", static_cast<long long>(pid));
  const Descriptor file(open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!file.valid()) return text;
  char buffer[4096];
  ssize_t length;
  while (text.size() <= kMost && (length = read(file.get(), buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<size_t>(length));
  }
  while (!text.empty() && text.back() == '\0') text.pop_back();
  if (text.size() > kMost) {
    // Not inside a character of UTF-8, which has three continuation bytes at most.
    size_t end = kMost;
    while (end > kMost - 3 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    text.replace(end, std::string::npos, "\xE2\x80\xA6");
  }
  for (char& byte : text) {
    if (byte == '\0') byte = ' ';
  }
  return text;
}

// Whether there is such a process, also one that we may not signal.
bool Exists(int64_t pid) { return kill(static_cast<pid_t>(pid), 0) == 0 || errno == EPERM; }

double MillisecondsOf(const struct timespec& time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

// When the machine booted, in milliseconds since the epoch. Not /proc/stat's btime, which is cut to
// whole seconds.
double BootedAt() {
  struct timespec now;
  struct timespec since_boot;
  clock_gettime(CLOCK_REALTIME, &now);
  clock_gettime(CLOCK_BOOTTIME, &since_boot);
  return MillisecondsOf(now) - MillisecondsOf(since_boot);
}

// A pidfd becomes readable when its process ends (pidfd_open(2)).
bool IsAlive(Handle handle) {
  struct pollfd ended = {static_cast<int>(handle), POLLIN, 0};
  return poll(&ended, 1, 0) == 0;
}

// proc(5), /proc/pid/stat: "pid (comm) state ppid ...", where comm may contain anything. The field
// of this number, from 3 on; null if there is none.
const char* StatField(const std::string& stat, int number) {
  const size_t after_comm = stat.rfind(')');
  const char* field = after_comm == std::string::npos ? nullptr : stat.c_str() + after_comm;
  for (int at = 2; field != nullptr && at < number; ++at) {
    field = std::strchr(field, ' ');
    if (field != nullptr) ++field;
  }
  return field;
}

bool ParseStat(const std::string& stat, Description* description) {
  const char* state = StatField(stat, 3);
  const char* parent = StatField(stat, 4);
  const char* threads = StatField(stat, 20);
  const char* started = StatField(stat, 22);
  if (started == nullptr) return false;
  const bool main_thread_ended = *state == 'Z' || *state == 'X';
  // The other threads of a process may outlive its main thread (pthread_exit(3)).
  description->zombie = main_thread_ended && std::strtol(threads, nullptr, 10) <= 1;
  // In clock ticks since boot.
  const double ticks = static_cast<double>(std::strtoull(started, nullptr, 10));
  description->birth = ticks;
  description->parent = std::strtoll(parent, nullptr, 10);
  description->started_at_ms = BootedAt() + ticks * 1e3 / static_cast<double>(sysconf(_SC_CLK_TCK));
  return true;
}

// What a symbolic link in /proc leads to, by device and inode number.
bool SameInProc(const char* one, const char* other) {
  struct stat first;
  struct stat second;
  return stat(one, &first) == 0 && stat(other, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

// include/linux/proc_ns.h, PROC_PID_INIT_INO: the namespace of the machine itself.
constexpr ino_t kInitialPidNamespace = 0xEFFFFFFCu;

// Whether this process is in a container, and PID 1 is what runs there.
bool IsMainProgramOfContainer(int64_t file_owner) {
  struct stat own;
  if (stat("/proc/self/ns/pid", &own) != 0 || own.st_ino == kInitialPidNamespace) return false;
  int64_t owner = -1;
  return SameInProc("/proc/1/ns/pid", "/proc/self/ns/pid") &&
         SameInProc("/proc/1/root", "/proc/self/root") && Owner(1, &owner) == 0 &&
         owner == file_owner;
}

// The line of a descriptor's fdinfo for a lock that keeps F_OFD_SETLK out, or nothing. fdinfo lists
// the locks of exactly that open file, of every kind (proc(5)):
// "lock:\t1: OFDLCK ADVISORY  WRITE -1 fe:00:1234 0 EOF". Returns 0 or a libuv error number.
int LockLine(const char* thread, const char* descriptor, std::string* found) {
  char path[128];
  std::snprintf(path, sizeof path, "/proc/%.60s/fdinfo/%.20s", thread, descriptor);
  std::string fdinfo;
  const int error = ReadProcPath(path, &fdinfo);
  if (error != 0) return error;
  for (size_t at = fdinfo.find("lock:\t"); at != std::string::npos;
       at = fdinfo.find("lock:\t", at + 1)) {
    std::string line = fdinfo.substr(at, fdinfo.find('\n', at) - at);
    const bool excludes =
        line.find(" OFDLCK ") != std::string::npos || line.find(" POSIX ") != std::string::npos;
    if (excludes && line.find(" WRITE ") != std::string::npos) {
      *found = line;
      break;
    }
  }
  return 0;
}

// Whether such a line, which ends in "major:minor:inode start end", is for this file.
bool NamesFile(const std::string& line, const FileId& file) {
  char name[64];
  std::snprintf(name, sizeof name, " %02x:%02x:%llu ", major(file.device), minor(file.device),
                static_cast<unsigned long long>(file.index));
  return line.find(name) != std::string::npos;
}

// Whether the kernel may know no lock of this open file though there is one. A FUSE server that
// manages locks itself (virtiofs too) has them alone: fuse_setlk() in fs/fuse/file.c leaves nothing
// in the kernel's list, which fdinfo shows. NFS, SMB, 9p, Ceph, AFS and DLM (GFS2, OCFS2) put into
// it what the server has granted.
bool HidesLocks(const char* thread, const char* descriptor) {
  constexpr unsigned kFuse = 0x65735546;  // FUSE_SUPER_MAGIC, include/uapi/linux/magic.h
  char path[128];
  std::snprintf(path, sizeof path, "/proc/%.60s/fd/%.20s", thread, descriptor);
  struct statfs system;
  if (statfs(path, &system) == 0) return static_cast<unsigned>(system.f_type) == kFuse;
  return errno != ENOENT;  // then it was closed meanwhile
}

// Looks through the open files of a thread ("<pid>" or "<pid>/task/<tid>"). kUnknown when they are
// not for our eyes: a process of another user, with more capabilities, or not dumpable (ptrace(2),
// access mode checking). The same when we cannot look, or what we see does not tell.
Holds HasLocked(const char* thread, const FileId& file, int descriptor, bool* has_files) {
  *has_files = false;
  if (descriptor >= 0) {
    char number[16];
    std::snprintf(number, sizeof number, "%d", descriptor);
    std::string line;
    if (LockLine(thread, number, &line) == 0 && NamesFile(line, file)) return Holds::kYes;
  }
  // Other programs give no hint; some file systems (btrfs) have other device numbers in fdinfo.
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%s/fd", thread);
  DIR* directory = opendir(path);
  // Not in /proc: gone, or hidden (proc(5), hidepid).
  if (directory == nullptr) {
    const bool is_gone = errno == ENOENT && !Exists(std::strtoll(thread, nullptr, 10));
    return is_gone ? Holds::kNo : Holds::kUnknown;
  }
  Holds holds = Holds::kNo;
  while (const struct dirent* entry = readdir(directory)) {
    if (entry->d_name[0] == '.') continue;
    *has_files = true;
    struct stat status;
    if (fstatat(dirfd(directory), entry->d_name, &status, 0) != 0) {
      if (errno == EACCES || errno == EPERM) holds = Holds::kUnknown;
      continue;
    }
    if (status.st_dev != file.device || status.st_ino != file.index) continue;
    std::string line;
    const int error = LockLine(thread, entry->d_name, &line);
    // Closed meanwhile, or we may not look, or have no descriptor left to look with.
    if (error != 0 && error != -ESRCH) holds = Holds::kUnknown;
    if (error == 0 && line.empty() && HidesLocks(thread, entry->d_name)) holds = Holds::kUnknown;
    if (line.empty()) continue;
    holds = Holds::kYes;
    break;
  }
  closedir(directory);
  return holds;
}

// The same for a process. One whose main thread has ended seems to have no files, but its other
// threads have.
Holds HasLocked(int64_t pid, const FileId& file, int descriptor) {
  char thread[64];
  std::snprintf(thread, sizeof thread, "%lld", static_cast<long long>(pid));
  bool has_files = false;
  const Holds holds = HasLocked(thread, file, descriptor, &has_files);
  if (holds != Holds::kNo || has_files) return holds;
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%lld/task", static_cast<long long>(pid));
  DIR* threads = opendir(path);
  if (threads == nullptr) return holds;
  Holds others = Holds::kNo;
  while (const struct dirent* entry = readdir(threads)) {
    const int64_t id = std::strtoll(entry->d_name, nullptr, 10);
    if (id <= 0 || id == pid) continue;
    std::snprintf(thread, sizeof thread, "%lld/task/%lld", static_cast<long long>(pid),
                  static_cast<long long>(id));
    others = HasLocked(thread, file, descriptor, &has_files);
    if (has_files || others == Holds::kYes) break;  // they all have the same
  }
  closedir(threads);
  return others;
}

// The number of a thread other than the first also has a /proc/number, and kill(2) takes it.
bool IsThread(int64_t pid) {
  std::string status;
  if (ReadProc(pid, "status", &status) != 0) return false;
  const size_t line = status.find("\nTgid:\t");
  return line != std::string::npos && std::strtoll(status.c_str() + line + 7, nullptr, 10) != pid;
}

// pidfd_send_signal(2) may be refused where pidfd_open(2) is not: such a pidfd is of no use.
bool CanSignalThrough(int pidfd, pid_t pid) {
  static std::atomic<bool> can{false};
  if (can || syscall(SYS_pidfd_send_signal, pidfd, 0, nullptr, 0u) == 0) return can = true;
  if (errno == ENOSYS) return false;
  // EPERM comes from a seccomp filter as well as from the process's being another user's.
  if (errno == EPERM && kill(pid, 0) == 0) return false;
  return can = true;
}

}  // namespace

int64_t Current() { return getpid(); }

int Open(int64_t pid, Handle* handle) {
  *handle = kNoHandle;
  const long fd = syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0u);
  if (fd >= 0 && CanSignalThrough(static_cast<int>(fd), static_cast<pid_t>(pid))) {
    *handle = static_cast<Handle>(fd);
    return 0;
  }
  if (fd >= 0) {
    close(static_cast<int>(fd));
    return 0;
  }
  switch (errno) {
    case ESRCH:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return -errno;
    case EINVAL:
    case ENOENT:
      // The number of a thread, which is not a process (pidfd_open(2)).
      return -ESRCH;
    default:
      // ENOSYS before Linux 5.3; ENOSYS or EPERM from a seccomp filter.
      if (IsThread(pid)) return -ESRCH;
      return Exists(pid) ? 0 : -errno;
  }
}

void Close(Handle handle) {
  if (handle != kNoHandle) close(static_cast<int>(handle));
}

int Describe(int64_t pid, Handle handle, Description* description) {
  if (handle != kNoHandle && !IsAlive(handle)) return -ESRCH;
  std::string stat;
  const int error = ReadProc(pid, "stat", &stat);
  // Not in /proc, but alive, or closed to us: the mount option hidepid, 2 or 1, hides the processes
  // of others (proc(5)).
  if (error == -ESRCH && (handle != kNoHandle ? IsAlive(handle) : Exists(pid))) return -EACCES;
  if (error == -EPERM) return -EACCES;
  if (error != 0) return error;
  return ParseStat(stat, description) ? 0 : -EINVAL;
}

Details DetailsOf(int64_t pid, Handle) {
  Details details;
  details.command = CommandLine(pid);
  std::string stat;
  if (ReadProc(pid, "stat", &stat) == 0) {
    const char* state = StatField(stat, 3);
    details.suspended = state != nullptr && (*state == 'T' || *state == 't');
    const size_t begin = stat.find('(');
    const size_t end = stat.rfind(')');
    if (details.command.empty() && begin < end) {
      details.command = stat.substr(begin + 1, end - begin - 1);
    }
  }
  int64_t uid = -1;
  if (Owner(pid, &uid) == 0) details.user = UserName(uid);
  return details;
}

std::vector<int64_t> All() {
  std::vector<int64_t> all;
  DIR* processes = opendir("/proc");
  if (processes == nullptr) return all;
  while (const struct dirent* entry = readdir(processes)) {
    const int64_t pid = std::strtoll(entry->d_name, nullptr, 10);
    if (pid > 0) all.push_back(pid);
  }
  closedir(processes);
  return all;
}

// Also 0 where it is outside of this PID namespace.
int64_t ParentOf(int64_t pid) {
  constexpr int kParent = 4;
  std::string stat;
  const char* parent = ReadProc(pid, "stat", &stat) == 0 ? StatField(stat, kParent) : nullptr;
  return parent == nullptr ? 0 : std::strtoll(parent, nullptr, 10);
}

int Owner(int64_t pid, int64_t* uid) {
  std::string status;
  const int error = ReadProc(pid, "status", &status);
  if (error != 0) return error;
  // "Uid:\treal\teffective\t...". The owner of /proc/pid itself is root for undumpable processes.
  const size_t line = status.find("\nUid:\t");
  if (line == std::string::npos) return -EINVAL;
  *uid = std::strtoll(status.c_str() + line + 6, nullptr, 10);
  return 0;
}

Role RoleOf(int64_t pid, int64_t file_owner) {
  constexpr int kFlags = 9;
  constexpr unsigned long kIsKernelThread = 0x00200000;  // PF_KTHREAD, include/linux/sched.h
  if (pid == 1) return IsMainProgramOfContainer(file_owner) ? Role::kOrdinary : Role::kInit;
  std::string stat;
  if (ReadProc(pid, "stat", &stat) == 0) {
    const char* flags = StatField(stat, kFlags);
    if (flags != nullptr && (std::strtoul(flags, nullptr, 10) & kIsKernelThread) != 0) {
      return Role::kKernel;
    }
  }
  int64_t ancestor = getppid();
  while (ancestor > 1 && ancestor != pid) ancestor = ParentOf(ancestor);
  return ancestor == pid ? Role::kAncestor : Role::kOrdinary;
}

Holds HoldsLock(int64_t pid, const FileId& file, const std::string&, int descriptor) {
  const Holds holds = HasLocked(pid, file, descriptor);
  if (holds != Holds::kUnknown) return holds;
  // Then somebody else whom we can see may be the holder. That takes a millisecond or more, but a
  // process that may be signalled and not be looked at is rare.
  DIR* processes = opendir("/proc");
  if (processes == nullptr) return Holds::kUnknown;
  bool is_other = false;
  while (const struct dirent* entry = readdir(processes)) {
    const int64_t other = std::strtoll(entry->d_name, nullptr, 10);
    is_other = other > 0 && other != pid && HasLocked(other, file, descriptor) == Holds::kYes;
    if (is_other) break;
  }
  closedir(processes);
  return is_other ? Holds::kNo : Holds::kUnknown;
}

int Signal(int64_t pid, Handle handle, int signum) {
  // kill(2) takes 0 and negative numbers for whole groups.
  if (pid <= 0) return -EINVAL;
  const long result = handle == kNoHandle ? kill(static_cast<pid_t>(pid), signum)
                                          : syscall(SYS_pidfd_send_signal, static_cast<int>(handle),
                                                    signum, nullptr, 0u);
  return result == 0 ? 0 : -errno;
}

}  // namespace daemoniker::process
