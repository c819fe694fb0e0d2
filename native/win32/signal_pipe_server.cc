#include <windows.h>
// After windows.h, which it needs.
#include <sddl.h>

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

// This user, administrators and the system; nobody else, and nothing inherited (MSDN, "Security
// Descriptor String Format"). Empty when the user cannot be told.
std::wstring AccessRules() {
  HANDLE raw_token = nullptr;
  if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &raw_token)) return {};
  const OwnedHandle token(raw_token);
  DWORD size = 0;
  GetTokenInformation(token.get(), TokenUser, nullptr, 0, &size);
  std::vector<unsigned char> buffer(size);
  if (!GetTokenInformation(token.get(), TokenUser, buffer.data(), size, &size)) return {};
  LPWSTR sid = nullptr;
  if (!ConvertSidToStringSidW(reinterpret_cast<TOKEN_USER*>(buffer.data())->User.Sid, &sid)) {
    return {};
  }
  const std::wstring rules =
      L"D:P(A;;GRGW;;;SY)(A;;GRGW;;;BA)(A;;GRGW;;;" + std::wstring(sid) + L")";
  LocalFree(sid);
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

bool IsRequest(const Request& request, DWORD length) {
  return length == sizeof request && request.magic == kMagic && request.version == kVersion &&
         request.length == sizeof request;
}

}  // namespace

int SignalPipeServer::Start() {
  if (pipe_ != nullptr) return 0;
  const std::wstring name = PipeName(GetCurrentProcessId());
  const std::wstring access_rules = AccessRules();
  if (access_rules.empty()) return LastUvError();
  int error = 0;
  for (int attempt = 0; attempt < kAttempts && pipe_ == nullptr; ++attempt) {
    if (attempt > 0) Sleep(kBetweenAttemptsMs);
    pipe_ = CreateOnlyInstance(name, access_rules);
    if (pipe_ != nullptr) break;
    // MSDN, CreateNamedPipe: ACCESS_DENIED when FILE_FLAG_FIRST_PIPE_INSTANCE finds the name taken;
    // PIPE_BUSY when all its instances are.
    const DWORD reason = GetLastError();
    const bool is_taken = reason == ERROR_ACCESS_DENIED || reason == ERROR_PIPE_BUSY;
    error = is_taken ? uv::kEaddrinuse : LastUvError();
    if (!is_taken) break;
  }
  if (pipe_ != nullptr) {
    io_done_ = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    stop_ = CreateEventW(nullptr, TRUE, FALSE, nullptr);
    error = io_done_ == nullptr || stop_ == nullptr ? LastUvError() : thread_.Start(Run, this);
  }
  if (error != 0) Stop();
  return error;
}

void SignalPipeServer::Stop() {
  if (stop_ != nullptr) SetEvent(stop_);
  thread_.Join();
  for (void** handle : {&pipe_, &io_done_, &stop_}) {
    if (*handle != nullptr) CloseHandle(*handle);
    *handle = nullptr;
  }
}

void SignalPipeServer::Run(void* raw) {
  auto* self = static_cast<SignalPipeServer*>(raw);
  while (self->AwaitClient()) {
    self->Serve();
    // Not before Stop() closes the pipe: what the client has not read yet would be lost (MSDN,
    // DisconnectNamedPipe), and that may be the acknowledgement.
    if (WaitForSingleObject(self->stop_, 0) == WAIT_OBJECT_0) return;
    DisconnectNamedPipe(self->pipe_);
  }
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
