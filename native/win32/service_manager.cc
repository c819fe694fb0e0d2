// What `daemoniker service` asks of the service manager, and whether what a service runs is safe
// from other users. Numbers called "error" are Windows' own, 0 for success: what to do about them
// is known by these numbers (lib/service.ts).
#include <napi.h>
#include <windows.h>
// After windows.h, which they need.
#include <aclapi.h>
#include <sddl.h>
#include <winsvc.h>

#include <string>
#include <vector>

#include "service.h"
#include "win32/wide.h"

namespace daemoniker::service {
namespace {

using Napi::CallbackInfo;
using Napi::Value;

class OwnedService {
 public:
  explicit OwnedService(SC_HANDLE handle) : handle_(handle) {}
  OwnedService(const OwnedService&) = delete;
  OwnedService& operator=(const OwnedService&) = delete;
  ~OwnedService() {
    if (handle_ != nullptr) CloseServiceHandle(handle_);
  }

  SC_HANDLE get() const { return handle_; }
  bool valid() const { return handle_ != nullptr; }

 private:
  SC_HANDLE handle_;
};

std::wstring Text(const CallbackInfo& info, size_t index) {
  return Widen(info[index].As<Napi::String>().Utf8Value());
}

DWORD Int(const CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Uint32Value();
}

Value Error(const CallbackInfo& info, DWORD error) { return Napi::Number::New(info.Env(), error); }

// Calls `act(service)`, which returns an error, for the service of that name.
template <typename Act>
DWORD WithService(const std::wstring& name, DWORD access, Act act) {
  const OwnedService manager(OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CONNECT));
  if (!manager.valid()) return GetLastError();
  const OwnedService service(OpenServiceW(manager.get(), name.c_str(), access));
  return service.valid() ? act(service.get()) : GetLastError();
}

DWORD ErrorUnless(BOOL succeeded) { return succeeded ? NO_ERROR : GetLastError(); }

// ---- Installing ----

DWORD Describe(SC_HANDLE service, std::wstring text) {
  SERVICE_DESCRIPTIONW description = {text.data()};
  return ErrorUnless(ChangeServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, &description));
}

DWORD Delay(SC_HANDLE service) {
  SERVICE_DELAYED_AUTO_START_INFO delayed = {TRUE};
  return ErrorUnless(
      ChangeServiceConfig2W(service, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed));
}

// Started again after a failure: soon, and later each time, until there was none for a day.
DWORD Restart(SC_HANDLE service) {
  SC_ACTION actions[] = {
      {SC_ACTION_RESTART, 5000}, {SC_ACTION_RESTART, 30000}, {SC_ACTION_RESTART, 60000}};
  SERVICE_FAILURE_ACTIONSW recovery = {};
  recovery.dwResetPeriod = 24 * 60 * 60;
  recovery.cActions = 3;
  recovery.lpsaActions = actions;
  const DWORD error =
      ErrorUnless(ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS, &recovery));
  if (error != NO_ERROR) return error;
  // An exit code that is not 0 is a failure, too, and not only an end without a report.
  SERVICE_FAILURE_ACTIONS_FLAG flag = {TRUE};
  return ErrorUnless(ChangeServiceConfig2W(service, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &flag));
}

// (name, displayName, commandLine, account, startType, delayed, description, restarts)
//     => { error, unsupported }; `unsupported` names settings that this system does not know
Value Create(const CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  auto unsupported = Napi::Array::New(info.Env());
  DWORD error = NO_ERROR;
  const OwnedService manager(OpenSCManagerW(nullptr, nullptr, SC_MANAGER_CREATE_SERVICE));
  const OwnedService service(
      !manager.valid() ? nullptr
                       : CreateServiceW(manager.get(), Text(info, 0).c_str(), Text(info, 1).c_str(),
                                        SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS, Int(info, 4),
                                        SERVICE_ERROR_NORMAL, Text(info, 2).c_str(), nullptr,
                                        nullptr, nullptr, Text(info, 3).c_str(), nullptr));
  if (!service.valid()) error = GetLastError();
  const auto set = [&](const char* setting, bool wanted, auto change) {
    if (error != NO_ERROR || !wanted) return;
    error = change();
    if (error != ERROR_INVALID_LEVEL) return;
    error = NO_ERROR;
    unsupported.Set(unsupported.Length(), Napi::String::New(info.Env(), setting));
  };
  const std::wstring description = Text(info, 6);
  set("description", !description.empty(), [&] { return Describe(service.get(), description); });
  set("delayed start", info[5].As<Napi::Boolean>(), [&] { return Delay(service.get()); });
  set("restart", info[7].As<Napi::Boolean>(), [&] { return Restart(service.get()); });
  if (error != NO_ERROR && service.valid()) DeleteService(service.get());
  result.Set("error", error);
  result.Set("unsupported", unsupported);
  return result;
}

// ---- Afterwards ----

// (name) => error
Value Delete(const CallbackInfo& info) {
  return Error(info, WithService(Text(info, 0), DELETE, [](SC_HANDLE service) {
                 return ErrorUnless(DeleteService(service));
               }));
}

// (name) => error
Value Start(const CallbackInfo& info) {
  return Error(info, WithService(Text(info, 0), SERVICE_START, [](SC_HANDLE service) {
                 return ErrorUnless(StartServiceW(service, 0, nullptr));
               }));
}

// (name, control) => error
Value Control(const CallbackInfo& info) {
  const DWORD control = Int(info, 1);
  const DWORD access = control == SERVICE_CONTROL_STOP ? SERVICE_STOP : SERVICE_PAUSE_CONTINUE;
  return Error(info, WithService(Text(info, 0), access, [&](SC_HANDLE service) {
                 SERVICE_STATUS status;
                 return ErrorUnless(ControlService(service, control, &status));
               }));
}

// (name) => { error, state, pid, win32ExitCode, specificExitCode, checkpoint }
Value Query(const CallbackInfo& info) {
  SERVICE_STATUS_PROCESS status = {};
  const DWORD error = WithService(Text(info, 0), SERVICE_QUERY_STATUS, [&](SC_HANDLE service) {
    DWORD needed = 0;
    return ErrorUnless(QueryServiceStatusEx(
        service, SC_STATUS_PROCESS_INFO, reinterpret_cast<BYTE*>(&status), sizeof status, &needed));
  });
  auto result = Napi::Object::New(info.Env());
  result.Set("error", error);
  result.Set("state", status.dwCurrentState);
  result.Set("pid", status.dwProcessId);
  result.Set("win32ExitCode", status.dwWin32ExitCode);
  result.Set("specificExitCode", status.dwServiceSpecificExitCode);
  result.Set("checkpoint", status.dwCheckPoint);
  return result;
}

// (name) => { error, commandLine, account, startType }
Value Configuration(const CallbackInfo& info) {
  auto result = Napi::Object::New(info.Env());
  const DWORD error = WithService(Text(info, 0), SERVICE_QUERY_CONFIG, [&](SC_HANDLE service) {
    DWORD size = 0;
    QueryServiceConfigW(service, nullptr, 0, &size);
    std::vector<char> buffer(size + sizeof(QUERY_SERVICE_CONFIGW));
    auto* found = reinterpret_cast<QUERY_SERVICE_CONFIGW*>(buffer.data());
    if (!QueryServiceConfigW(service, found, static_cast<DWORD>(buffer.size()), &size)) {
      return GetLastError();
    }
    result.Set("commandLine", Narrow(found->lpBinaryPathName));
    result.Set("account", Narrow(found->lpServiceStartName));
    result.Set("startType", found->dwStartType);
    return DWORD{NO_ERROR};
  });
  result.Set("error", error);
  return result;
}

// ---- Who else may change what a service runs ----

// Who could make a service of his own anyway. TrustedInstaller's identifier is the same everywhere.
bool IsTrusted(PSID sid) {
  for (const WELL_KNOWN_SID_TYPE type :
       {WinBuiltinAdministratorsSid, WinLocalSystemSid, WinAccountAdministratorSid,
        WinAccountDomainAdminsSid, WinCreatorOwnerRightsSid}) {
    if (IsWellKnownSid(sid, type)) return true;
  }
  PSID installer = nullptr;
  if (!ConvertStringSidToSidW(L"S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",
                              &installer)) {
    return false;
  }
  const bool is_installer = EqualSid(sid, installer) != FALSE;
  LocalFree(installer);
  return is_installer;
}

// "DOMAIN\\name", or the identifier where nobody knows a name.
std::string NameOf(PSID sid) {
  wchar_t name[256];
  wchar_t domain[256];
  DWORD name_length = 256;
  DWORD domain_length = 256;
  SID_NAME_USE use;
  if (LookupAccountSidW(nullptr, sid, name, &name_length, domain, &domain_length, &use)) {
    return Narrow(domain_length == 0 ? name : std::wstring(domain) + L"\\" + name);
  }
  LPWSTR text = nullptr;
  if (!ConvertSidToStringSidW(sid, &text)) return "?";
  const std::string result = Narrow(text);
  LocalFree(text);
  return result;
}

bool IsDenial(BYTE type) {
  return type == ACCESS_DENIED_ACE_TYPE || type == ACCESS_DENIED_CALLBACK_ACE_TYPE ||
         type == ACCESS_DENIED_OBJECT_ACE_TYPE || type == ACCESS_DENIED_CALLBACK_OBJECT_ACE_TYPE;
}

// Somebody who is not trusted and has one of these rights, or could give them to himself.
std::string StrangerAmong(PSID owner, PACL rules, DWORD rights) {
  if (owner != nullptr && !IsTrusted(owner)) return NameOf(owner);
  if (rules == nullptr) return "everybody";
  for (DWORD index = 0; index < rules->AceCount; ++index) {
    void* entry = nullptr;
    if (!GetAce(rules, index, &entry)) return "?";
    const auto* header = static_cast<const ACE_HEADER*>(entry);
    if ((header->AceFlags & INHERIT_ONLY_ACE) != 0) continue;
    // Denials and conditions are not looked at: better to refuse too much.
    if (IsDenial(header->AceType)) continue;
    if (header->AceType != ACCESS_ALLOWED_ACE_TYPE &&
        header->AceType != ACCESS_ALLOWED_CALLBACK_ACE_TYPE) {
      return "?";
    }
    auto* allowed = static_cast<ACCESS_ALLOWED_ACE*>(entry);
    PSID sid = &allowed->SidStart;
    if ((allowed->Mask & rights) != 0 && !IsTrusted(sid)) return NameOf(sid);
  }
  return {};
}

constexpr DWORD kOwnersRights = WRITE_DAC | WRITE_OWNER | DELETE | GENERIC_ALL | GENERIC_WRITE;
// A file; the directory that it is in, where another one could be put beside it, to be loaded by
// it; and any further one, which could be replaced as a whole. Everybody may create directories in
// the root of a drive.
constexpr DWORD kRights[] = {
    kOwnersRights | FILE_WRITE_DATA | FILE_APPEND_DATA,
    kOwnersRights | FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | FILE_DELETE_CHILD,
    kOwnersRights | FILE_DELETE_CHILD};

// (path, 0 a file | 1 the directory of one | 2 a directory further up) => { error, account }
Value WhoMayChange(const CallbackInfo& info) {
  std::wstring path = NativePath(info[0].As<Napi::String>().Utf8Value());
  PSID owner = nullptr;
  PACL rules = nullptr;
  PSECURITY_DESCRIPTOR descriptor = nullptr;
  auto result = Napi::Object::New(info.Env());
  const DWORD error = GetNamedSecurityInfoW(path.data(), SE_FILE_OBJECT,
                                            OWNER_SECURITY_INFORMATION | DACL_SECURITY_INFORMATION,
                                            &owner, nullptr, &rules, nullptr, &descriptor);
  result.Set("error", error);
  result.Set("account", error == NO_ERROR ? StrangerAmong(owner, rules, kRights[Int(info, 1)])
                                          : std::string());
  if (descriptor != nullptr) LocalFree(descriptor);
  return result;
}

}  // namespace

void AddManagement(Napi::Env env, Napi::Object exports) {
  auto services = Napi::Object::New(env);
  const auto set = [&](const char* name, auto function) {
    services.Set(name, Napi::Function::New(env, function, name));
  };
  set("create", Create);
  set("delete", Delete);
  set("start", Start);
  set("control", Control);
  set("query", Query);
  set("configuration", Configuration);
  set("whoMayChange", WhoMayChange);
  exports.Set("services", services);
}

}  // namespace daemoniker::service
