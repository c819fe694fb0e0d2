#include <windows.h>
// After windows.h, which it needs.
#include <winternl.h>

#include "other_process.h"
#include "win32/error_codes.h"
#include "win32/file_id.h"
#include "win32/file_lock.h"
#include "win32/file_time.h"
#include "win32/handle.h"
#include "win32/shared_file.h"
#include "win32/signal_pipe.h"
#include "win32/wide.h"

namespace daemoniker::process {
namespace {

// Windows has no such signal, but Node.js has the number.
constexpr int kSigkill = 9;

// Windows takes the lowest two bits of a PID for nothing: OpenProcess(pid + 1) opens `pid`.
HANDLE OpenExactly(int64_t pid, DWORD access) {
  if (pid <= 0 || pid > MAXDWORD) {
    SetLastError(ERROR_INVALID_PARAMETER);
    return nullptr;
  }
  const HANDLE process = ::OpenProcess(access, FALSE, static_cast<DWORD>(pid));
  if (process == nullptr || GetProcessId(process) == static_cast<DWORD>(pid)) return process;
  CloseHandle(process);
  SetLastError(ERROR_INVALID_PARAMETER);
  return nullptr;
}

// -1 would be this process (MSDN, GetCurrentProcess).
static_assert(kNoHandle == -1);

// Opens the process unless `handle` already is it.
class Opened {
 public:
  Opened(int64_t pid, Handle handle) : handle_(handle), is_ours_(handle == kNoHandle) {
    if (is_ours_) error_ = Open(pid, &handle_);
  }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  ~Opened() {
    if (is_ours_) Close(handle_);
  }

  int error() const { return error_; }
  HANDLE get() const { return reinterpret_cast<HANDLE>(handle_); }

 private:
  Handle handle_;
  bool is_ours_;
  int error_ = 0;
};

// It is still there for those who have it open, like a zombie.
bool HasEnded(HANDLE process) {
  const DWORD waited = WaitForSingleObject(process, 0);
  if (waited != WAIT_FAILED) return waited == WAIT_OBJECT_0;
  // Opened without the right to wait.
  DWORD exit_code = STILL_ACTIVE;
  return GetExitCodeProcess(process, &exit_code) && exit_code != STILL_ACTIVE;
}

bool StartedAt(HANDLE process, FILETIME* started) {
  FILETIME unused;
  return GetProcessTimes(process, started, &unused, &unused, &unused) != FALSE;
}

// What winternl.h does not name. ProcessBreakOnTermination: the system stops when it ends.
constexpr auto kProcessBreakOnTermination = static_cast<PROCESSINFOCLASS>(29);

bool IsCritical(int64_t pid) {
  const Opened process(pid, kNoHandle);
  ULONG critical = 0;
  return process.error() == 0 &&
         NtQueryInformationProcess(process.get(), kProcessBreakOnTermination, &critical,
                                   sizeof critical, nullptr) >= 0 &&
         critical != 0;
}

// 0 when nobody can tell.
int64_t ParentOf(HANDLE process) {
  // PROCESS_BASIC_INFORMATION, whose last member older headers call Reserved3.
  struct {
    PVOID exit_status, peb, affinity, priority;
    ULONG_PTR pid, parent;
  } basic = {};
  const bool known = NtQueryInformationProcess(process, ProcessBasicInformation, &basic,
                                               sizeof basic, nullptr) >= 0;
  return known ? static_cast<int64_t>(basic.parent) : 0;
}

int64_t ParentOf(int64_t pid) {
  const Opened process(pid, kNoHandle);
  return process.error() == 0 ? ParentOf(process.get()) : 0;
}

bool StartedNoLater(int64_t pid, int64_t other_pid) {
  const Opened process(pid, kNoHandle);
  const Opened other(other_pid, kNoHandle);
  FILETIME started;
  FILETIME other_started;
  return process.error() == 0 && other.error() == 0 && StartedAt(process.get(), &started) &&
         StartedAt(other.get(), &other_started) && Ticks(started) <= Ticks(other_started);
}

// "DOMAIN\\name", or nothing.
std::string UserOf(HANDLE process) {
  HANDLE raw = nullptr;
  if (!OpenProcessToken(process, TOKEN_QUERY, &raw)) return {};
  const OwnedHandle token(raw);
  // A security identifier has at most SECURITY_MAX_SID_SIZE bytes.
  alignas(TOKEN_USER) char buffer[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
  DWORD size = 0;
  if (!GetTokenInformation(token.get(), TokenUser, buffer, sizeof buffer, &size)) return {};
  wchar_t name[256];
  wchar_t domain[256];
  DWORD name_length = 256;
  DWORD domain_length = 256;
  SID_NAME_USE use;
  if (!LookupAccountSidW(nullptr, reinterpret_cast<TOKEN_USER*>(buffer)->User.Sid, name,
                         &name_length, domain, &domain_length, &use)) {
    return {};
  }
  return Narrow(std::wstring(domain) + L"\\" + name);
}

bool MayTerminate(HANDLE process) {
  HANDLE duplicate = nullptr;
  if (!DuplicateHandle(GetCurrentProcess(), process, GetCurrentProcess(), &duplicate,
                       PROCESS_TERMINATE, FALSE, 0)) {
    return false;
  }
  CloseHandle(duplicate);
  return true;
}

}  // namespace

int64_t Current() { return GetCurrentProcessId(); }

int Open(int64_t pid, Handle* handle) {
  *handle = kNoHandle;
  constexpr DWORD kLook = PROCESS_QUERY_LIMITED_INFORMATION;
  // As many rights as we get: looking is allowed more often than ending.
  for (const DWORD access : {kLook | SYNCHRONIZE | PROCESS_TERMINATE, kLook | SYNCHRONIZE, kLook}) {
    const HANDLE process = OpenExactly(pid, access);
    if (process != nullptr) {
      *handle = reinterpret_cast<Handle>(process);
      return 0;
    }
    if (GetLastError() != ERROR_ACCESS_DENIED) break;
  }
  return GetLastError() == ERROR_INVALID_PARAMETER ? uv::kEsrch : LastUvError();
}

void Close(Handle handle) {
  if (handle != kNoHandle) CloseHandle(reinterpret_cast<HANDLE>(handle));
}

int Describe(int64_t pid, Handle handle, Description* description) {
  const Opened process(pid, handle);
  if (process.error() != 0) return process.error();
  FILETIME started;
  if (!StartedAt(process.get(), &started)) return LastUvError();
  description->zombie = HasEnded(process.get());
  description->started_at_ms = MillisecondsSinceEpoch(started);
  description->birth = description->started_at_ms;
  description->parent = ParentOf(process.get());
  return 0;
}

Details DetailsOf(int64_t pid, Handle handle) {
  Details details;
  const Opened process(pid, handle);
  if (process.error() != 0) return details;
  std::wstring path(MAXSHORT, L'\0');
  DWORD length = static_cast<DWORD>(path.size());
  if (QueryFullProcessImageNameW(process.get(), 0, path.data(), &length)) {
    path.resize(length);
    details.command = Narrow(path);
  }
  details.user = UserOf(process.get());
  return details;
}

// libuv keeps it open until it has reported its end, and with that its number. An older one is
// that of a process which had our number before.
bool IsChild(int64_t pid) { return ParentOf(pid) == Current() && StartedNoLater(Current(), pid); }

int Owner(int64_t, int64_t*) { return uv::kEnotsup; }

Role RoleOf(int64_t pid, int64_t) {
  constexpr int64_t kSystem = 4;
  if (pid == kSystem) return Role::kKernel;
  if (IsCritical(pid)) return Role::kInit;
  int64_t child = Current();
  // Nothing but a number: the parent may have ended, and the number may mean a younger process.
  for (int64_t parent = ParentOf(child); parent > 0; child = parent, parent = ParentOf(child)) {
    if (!StartedNoLater(parent, child)) break;
    if (parent == pid) return Role::kAncestor;
  }
  return Role::kOrdinary;
}

Holds HoldsLock(int64_t pid, const FileId& id, const std::string& path, int) {
  const OwnedHandle process(OpenExactly(pid, PROCESS_QUERY_LIMITED_INFORMATION));
  FILETIME started;
  if (!process.valid()) {
    return GetLastError() == ERROR_INVALID_PARAMETER ? Holds::kNo : Holds::kUnknown;
  }
  if (!StartedAt(process.get(), &started)) return Holds::kUnknown;
  Patience patience;
  const OwnedHandle file(
      OpenShared(NativePath(path), GENERIC_READ, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, &patience));
  FileId named;
  if (!file.valid() || !ReadFileId(file.get(), &named) || !(named == id)) return Holds::kUnknown;
  return TestHolder(file.get(), pid, Ticks(started));
}

int Signal(int64_t pid, Handle handle, int signum) {
  const Opened opened(pid, handle);
  if (opened.error() != 0) return opened.error();
  const HANDLE process = opened.get();
  if (HasEnded(process)) return uv::kEsrch;
  if (signum == 0) return MayTerminate(process) ? 0 : uv::kEperm;
  if (signum != kSigkill) {
    // The handle keeps the PID from being used for another process meanwhile.
    const int error = signal_pipe::Send(pid, signum);
    if (error != uv::kEnoent) return error != 0 && HasEnded(process) ? uv::kEsrch : error;
    if (!signal_pipe::IsForHandlers(signum)) return uv::kEnosys;
  }
  if (TerminateProcess(process, static_cast<UINT>(signum))) return 0;
  const int error = LastUvError();
  return HasEnded(process) ? uv::kEsrch : error;
}

}  // namespace daemoniker::process
