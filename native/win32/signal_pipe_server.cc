#include <windows.h>
// After windows.h, which it needs.
#include <sddl.h>

#include <algorithm>
#include <string>
#include <vector>

#include "win32/arrivals.h"
#include "win32/error_codes.h"
#include "win32/handle.h"
#include "win32/overlapped.h"
#include "win32/signal_pipe.h"

namespace daemoniker {

using namespace signal_pipe;

namespace {

// A client that connects and then does nothing keeps others waiting for no longer than this.
constexpr DWORD kPatienceMs = 500;

// The name may not be free at once after Stop(), while the last client still holds its end.
constexpr int kAttempts = 20;
constexpr DWORD kBetweenAttemptsMs = 10;

// For as long as it has none.
constexpr DWORD kUntilNextAttemptMs = 1000;

// Empty with GetLastError().
std::vector<unsigned char> TokenInformation(HANDLE token, TOKEN_INFORMATION_CLASS kind) {
  DWORD size = 0;
  GetTokenInformation(token, kind, nullptr, 0, &size);
  std::vector<unsigned char> buffer(size);
  if (!GetTokenInformation(token, kind, buffer.data(), size, &size)) buffer.clear();
  return buffer;
}

// Who may use the pipe: this user, administrators and the system; nobody else, and nothing
// inherited; and no process of a lower integrity level than this one (MSDN, "Security Descriptor
// String Format"). Empty, with GetLastError(), when the user or the level cannot be told.
std::wstring AccessRules() {
  HANDLE raw_token = nullptr;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw_token)) return {};
  const OwnedHandle token(raw_token);
  const std::vector<unsigned char> user = TokenInformation(token.get(), TokenUser);
  const std::vector<unsigned char> label = TokenInformation(token.get(), TokenIntegrityLevel);
  LPWSTR user_sid = nullptr;
  if (user.empty() || label.empty() ||
      !ConvertSidToStringSidW(reinterpret_cast<const TOKEN_USER*>(user.data())->User.Sid,
                              &user_sid)) {
    return {};
  }
  const PSID label_sid = reinterpret_cast<const TOKEN_MANDATORY_LABEL*>(label.data())->Label.Sid;
  const DWORD level = *GetSidSubAuthority(label_sid, *GetSidSubAuthorityCount(label_sid) - 1u);
  // Services have the system's level, and administrators, who may send to them, a high one.
  const DWORD lowest = std::min<DWORD>(level, SECURITY_MANDATORY_HIGH_RID);
  const std::wstring rules = L"D:P(A;;GRGW;;;SY)(A;;GRGW;;;BA)(A;;GRGW;;;" +
                             std::wstring(user_sid) + L")S:(ML;;NRNWNX;;;S-1-16-" +
                             std::to_wstring(lowest) + L")";
  LocalFree(user_sid);
  return rules;
}

// The handle, or null with GetLastError().
HANDLE CreateOnlyInstance(const std::wstring& name, const std::wstring& access_rules) {
  SECURITY_ATTRIBUTES security = {sizeof security, nullptr, FALSE};
  if (!ConvertStringSecurityDescriptorToSecurityDescriptorW(
          access_rules.c_str(), SDDL_REVISION_1, &security.lpSecurityDescriptor, nullptr)) {
    return nullptr;
  }
  // One instance, kept for as long as handlers run, and not one for each client: the name must not
  // vanish in between, because that means that no handler runs.
  constexpr DWORD kInstances = 1;
  const HANDLE pipe = CreateNamedPipeW(
      name.c_str(), PIPE_ACCESS_DUPLEX | FILE_FLAG_OVERLAPPED | FILE_FLAG_FIRST_PIPE_INSTANCE,
      PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT | PIPE_REJECT_REMOTE_CLIENTS,
      kInstances, sizeof(Reply), sizeof(Request), 0, &security);
  const DWORD error = GetLastError();
  LocalFree(security.lpSecurityDescriptor);
  SetLastError(error);
  return pipe == INVALID_HANDLE_VALUE ? nullptr : pipe;
}

// MSDN, CreateNamedPipe: ACCESS_DENIED when FILE_FLAG_FIRST_PIPE_INSTANCE finds the name taken, or
// when this process may have no such pipe; PIPE_BUSY when all its instances are taken.
bool IsTaken(const std::wstring& name, DWORD refused) {
  return refused == ERROR_PIPE_BUSY ||
         (refused == ERROR_ACCESS_DENIED && Look(name) == ERROR_SUCCESS);
}

bool IsRequest(const Request& request, DWORD length) {
  return length == sizeof request && request.magic == kMagic && request.version == kVersion &&
         request.length == sizeof request;
}

}  // namespace

int SignalPipeServer::Start() {
  if (stop_ != nullptr) return 0;
  int error = Create(true);
  for (int attempt = 1; attempt < kAttempts && error == uv::kEaddrinuse; ++attempt) {
    Sleep(kBetweenAttemptsMs);
    error = Create(attempt + 1 < kAttempts);
  }
  if (error == uv::kEaddrinuse || error == uv::kEperm) {
    unreachable_.store(error);
    error = 0;
  }
  if (error == 0) {
    io_done_ = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    stop_ = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    error = io_done_ == nullptr || stop_ == nullptr ? LastUvError() : thread_.Start(Run, this);
  }
  if (error != 0) Stop();
  return error;
}

// 0, or a libuv error number: EADDRINUSE and EPERM as of Unreachable().
int SignalPipeServer::Create(bool waits_for_name) {
  const std::wstring access_rules = AccessRules();
  if (access_rules.empty()) return LastUvError();
  const auto names = PipeNames(GetCurrentProcessId());
  DWORD refused = ERROR_SUCCESS;
  for (const std::wstring& name : names) {
    pipe_ = CreateOnlyInstance(name, access_rules);
    if (pipe_ != nullptr) return 0;
    // Not the next one at once: it may be our own, which the last client has not let go of yet.
    refused = GetLastError();
    if (waits_for_name && IsTaken(name, refused)) return uv::kEaddrinuse;
  }
  if (IsTaken(names.back(), refused)) return uv::kEaddrinuse;
  return refused == ERROR_ACCESS_DENIED ? uv::kEperm : UvError(refused);
}

void SignalPipeServer::Stop() {
  if (stop_ != nullptr) SetEvent(stop_);
  thread_.Join();
  for (void** handle : {&pipe_, &io_done_, &stop_}) {
    if (*handle != nullptr) CloseHandle(*handle);
    *handle = nullptr;
  }
  unreachable_.store(0);
}

void SignalPipeServer::Run(void* raw) {
  auto* self = static_cast<SignalPipeServer*>(raw);
  if (!self->AwaitPipe()) return;
  while (self->AwaitClient()) {
    self->Serve();
    // Not before Stop() closes the pipe: what the client has not read yet would be lost (MSDN,
    // DisconnectNamedPipe), and that may be the acknowledgement.
    if (WaitForSingleObject(self->stop_, 0) == WAIT_OBJECT_0) return;
    DisconnectNamedPipe(self->pipe_);
  }
}

// False when it is time to stop.
bool SignalPipeServer::AwaitPipe() {
  while (pipe_ == nullptr) {
    if (WaitForSingleObject(stop_, kUntilNextAttemptMs) == WAIT_OBJECT_0) return false;
    if (Create(false) == 0) unreachable_.store(0);
  }
  return true;
}

// False when it is time to stop.
bool SignalPipeServer::AwaitClient() {
  for (;;) {
    OVERLAPPED overlapped = {};
    overlapped.hEvent = io_done_;
    DWORD unused = 0;
    const BOOL connected = ConnectNamedPipe(pipe_, &overlapped);
    DWORD error = !connected && GetLastError() == ERROR_PIPE_CONNECTED
                      ? ERROR_SUCCESS
                      : AwaitIo(pipe_, &overlapped, connected, INFINITE, stop_, &unused);
    if (error == ERROR_SUCCESS) return true;
    if (error == ERROR_CANCELLED) return false;
    // ERROR_NO_DATA: it came and went. Should anything else be wrong, do not spin.
    DisconnectNamedPipe(pipe_);
    if (error != ERROR_NO_DATA && WaitForSingleObject(stop_, 100) == WAIT_OBJECT_0) return false;
  }
}

void SignalPipeServer::Serve() {
  OVERLAPPED overlapped = {};
  overlapped.hEvent = io_done_;
  Request request = {};
  DWORD length = 0;
  BOOL started = ReadFile(pipe_, &request, sizeof request, nullptr, &overlapped);
  if (AwaitIo(pipe_, &overlapped, started, kPatienceMs, stop_, &length) != ERROR_SUCCESS ||
      !IsRequest(request, length)) {
    return;
  }
  ULONG client = 0;
  const bool knows_client = GetNamedPipeClientProcessId(pipe_, &client) != FALSE;
  const bool recorded =
      RecordIfTaken(request.signum, Origin::kPipe, knows_client ? client : kNoSender);
  // The handlers are just being started or stopped, one signal after another. A client without an
  // answer comes again, and finds all of them taken, or no pipe.
  if (!recorded && IsForHandlers(request.signum)) return;

  const Reply reply = {kMagic, kVersion, sizeof(Reply),
                       static_cast<int32_t>(recorded ? Outcome::kRecorded : Outcome::kNotTaken)};
  // From here on without `stop_`: what is recorded gets acknowledged.
  started = WriteFile(pipe_, &reply, sizeof reply, nullptr, &overlapped);
  if (AwaitIo(pipe_, &overlapped, started, kPatienceMs, nullptr, &length) != ERROR_SUCCESS) return;
  // The client closes its end when it has read that: until then do not disconnect.
  started = ReadFile(pipe_, &request, sizeof request, nullptr, &overlapped);
  AwaitIo(pipe_, &overlapped, started, kPatienceMs, stop_, &length);
}

}  // namespace daemoniker
