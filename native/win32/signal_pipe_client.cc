#include <windows.h>

#include <algorithm>

#include "win32/error_codes.h"
#include "win32/handle.h"
#include "win32/overlapped.h"
#include "win32/signal_pipe.h"

namespace daemoniker::signal_pipe {
namespace {

// For everything together. The server answers from a thread of its own that waits for nothing
// else, so this is for suspended processes and for many senders at once.
constexpr DWORD kPatienceMs = 2000;

// The system's own word for a reply that is too long.
constexpr DWORD kNotOurs = ERROR_MORE_DATA;

class TimeLimit {
 public:
  explicit TimeLimit(DWORD milliseconds) : end_(GetTickCount64() + milliseconds) {}
  // At least 1: 0 means "the default" to WaitNamedPipe().
  DWORD Remaining() const {
    const ULONGLONG now = GetTickCount64();
    return now >= end_ ? 1 : static_cast<DWORD>(end_ - now);
  }
  bool Passed() const { return GetTickCount64() >= end_; }

 private:
  ULONGLONG end_;
};

// The server of the other end went away in the middle, or has not yet let its last client go. Which
// error says so depends on what was called, and how far the end was: ERROR_BAD_PIPE is for a pipe
// whose server has closed its end before the request.
bool IsGone(DWORD error) {
  return error == ERROR_BROKEN_PIPE || error == ERROR_NO_DATA ||
         error == ERROR_PIPE_NOT_CONNECTED || error == ERROR_BAD_PIPE;
}

// ERROR_SUCCESS, or what went wrong.
DWORD Connect(const std::wstring& name, const TimeLimit& limit, OwnedHandle* pipe) {
  for (;;) {
    // A server that is not the one we mean must not act in our name: SECURITY_IDENTIFICATION (MSDN,
    // "Impersonation Levels").
    pipe->Reset(CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                            FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION,
                            nullptr));
    if (pipe->valid()) return ERROR_SUCCESS;
    const DWORD error = GetLastError();
    if (error != ERROR_PIPE_BUSY) return error;
    if (limit.Passed()) return ERROR_TIMEOUT;
    // Another sender may be faster once it is free, or the server may be gone: look again.
    if (!WaitNamedPipeW(name.c_str(), limit.Remaining())) Sleep(1);
  }
}

DWORD Exchange(HANDLE pipe, int64_t pid, const Request& request, DWORD timeout_ms, Reply* reply) {
  ULONG server = 0;
  if (!GetNamedPipeServerProcessId(pipe, &server)) return GetLastError();
  if (static_cast<int64_t>(server) != pid) return kNotOurs;

  DWORD mode = PIPE_READMODE_MESSAGE;
  if (!SetNamedPipeHandleState(pipe, &mode, nullptr, nullptr)) {
    // A pipe of bytes has no messages: not ours.
    return GetLastError() == ERROR_INVALID_PARAMETER ? kNotOurs : GetLastError();
  }
  const OwnedHandle done(CreateEventW(nullptr, TRUE, FALSE, nullptr));
  if (!done.valid()) return GetLastError();
  OVERLAPPED overlapped = {};
  overlapped.hEvent = done.get();
  DWORD length = 0;
  Request message = request;
  const BOOL started =
      TransactNamedPipe(pipe, &message, sizeof message, reply, sizeof *reply, &length, &overlapped);
  const DWORD error = AwaitIo(pipe, &overlapped, started, timeout_ms, nullptr, &length);
  if (error != ERROR_SUCCESS) return error;
  const bool is_ours = length == sizeof *reply && reply->magic == kMagic &&
                       reply->version == kVersion && reply->length == sizeof *reply;
  return is_ours ? ERROR_SUCCESS : kNotOurs;
}

// As Send(), by one name.
int SendTo(const std::wstring& name, int64_t pid, int signum, const TimeLimit& limit) {
  const Request request = {kMagic, kVersion, sizeof(Request), signum};
  for (;;) {
    OwnedHandle pipe;
    DWORD error = Connect(name, limit, &pipe);
    // Below ProtectedPrefix it may be the prefix that is denied, and not a pipe.
    if (error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND ||
        error == ERROR_INVALID_NAME ||
        (error == ERROR_ACCESS_DENIED && Look(name) == ERROR_FILE_NOT_FOUND)) {
      return uv::kEnoent;
    }
    if (error == ERROR_TIMEOUT) return uv::kEtimedout;
    if (error != ERROR_SUCCESS) return UvError(error);

    Reply reply = {};
    error = Exchange(pipe.get(), pid, request, limit.Remaining(), &reply);
    if (error == ERROR_SUCCESS) {
      if (reply.outcome == static_cast<int32_t>(Outcome::kRecorded)) return 0;
      return reply.outcome == static_cast<int32_t>(Outcome::kNotTaken) ? uv::kEnosys : uv::kEproto;
    }
    if (error == ERROR_TIMEOUT) return uv::kEtimedout;
    if (error == kNotOurs) return uv::kEproto;
    if (!IsGone(error)) return UvError(error);
    // It stopped in the middle, and did not acknowledge: begin again.
    if (limit.Passed()) return uv::kEtimedout;
    Sleep(1);
  }
}

}  // namespace

std::array<std::wstring, 4> PipeNames(int64_t pid) {
  const std::wstring pipes = L"\\\\.\\pipe\\";
  const std::wstring name = L"daemoniker-" + std::to_wstring(pid);
  // The three that Windows knows.
  const std::wstring prefix = pipes + L"ProtectedPrefix\\";
  return {prefix + L"Administrators\\" + name, prefix + L"LocalService\\" + name,
          prefix + L"NetworkService\\" + name, pipes + name};
}

DWORD Look(const std::wstring& name) {
  if (WaitNamedPipeW(name.c_str(), 1)) return ERROR_SUCCESS;
  return GetLastError() == ERROR_SEM_TIMEOUT ? ERROR_SUCCESS : GetLastError();
}

int Send(int64_t pid, int signum) {
  const TimeLimit limit(kPatienceMs);
  int refused = uv::kEnoent;
  for (const std::wstring& name : PipeNames(pid)) {
    const int error = SendTo(name, pid, signum, limit);
    if (error == 0 || error == uv::kEnosys) return error;
    // The process itself may be at another name, if a stranger has this one.
    if (refused == uv::kEnoent) refused = error;
  }
  return refused;
}

}  // namespace daemoniker::signal_pipe
