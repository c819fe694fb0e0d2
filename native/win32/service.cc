// This process as a Windows service.
//
// Three threads, none of which is the main thread's or calls Node-API, and which stay until the end
// of the process: the dispatcher, which the system wants to itself and on which it calls
// OnControl(); and the reporter, which the system starts (ServiceMain) and which tells the service
// manager again and again that something pending still makes progress, however stuck the event loop
// may be. Whoever ends the process only leaves a number behind and waits for the reporter.
#include "service.h"

#include <windows.h>
// After windows.h, which they need.
#include <tlhelp32.h>
#include <winsvc.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cwchar>

#include "end.h"
#include "pending.h"
#include "pid_file_claims.h"
#include "thread.h"
#include "win32/arrivals.h"
#include "win32/handle.h"
#include "win32/service.h"

namespace daemoniker::service {
namespace {

// Windows has no such signal, but Node.js has the number.
constexpr int kSighup = 1;

// How often the manager hears of progress, and when it is to worry: much later, because the machine
// may be busy.
constexpr DWORD kIntervalMs = 1000;
constexpr DWORD kWaitHintMs = 5000;

// How long an exit waits for the manager, which first may have to make the reporter's thread; and
// the end by a limit, which must not be late.
constexpr DWORD kExitPatienceMs = 5000;
constexpr DWORD kEndPatienceMs = 500;

// Exit statuses have 32 bits.
constexpr int64_t kUnknown = INT64_MIN;

std::atomic<bool> is_service{false};
std::atomic<bool> is_running{false};
std::atomic<bool> stop_asked{false};
// Nobody handles SIGTERM, so it does what it does without a handler.
std::atomic<bool> ends_by_default{false};
// OnControl() is running. Whoever has sent the request gets no answer if the process ends before.
std::atomic<int> answering{0};
// With which status the process ends.
std::atomic<int64_t> end_status{kUnknown};

Thread dispatcher;
HANDLE changed = nullptr;  // wakes the reporter
HANDLE stopped = nullptr;  // there is nothing more to report

// Guarded by this: the manager gets one report after the other, and none after the last.
SRWLOCK report_lock = SRWLOCK_INIT;
SERVICE_STATUS_HANDLE manager = nullptr;
DWORD checkpoint = 0;
bool is_stopped = false;

// ---- Whether this is a service ----

// Not by session 0: in a Windows container it is another (dotnet/runtime issue 62452). Should this
// be a program of that name that is none, the dispatcher fails at once.
//
// From a list of all processes, because the account of a service may not open its manager.
bool IsStartedByServiceManager() {
  const OwnedHandle processes(CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0));
  if (!processes.valid()) return false;
  PROCESSENTRY32W entry = {};
  entry.dwSize = sizeof entry;
  const auto find = [&](DWORD pid) {
    BOOL more = Process32FirstW(processes.get(), &entry);
    while (more && entry.th32ProcessID != pid) more = Process32NextW(processes.get(), &entry);
    return more != FALSE;
  };
  return find(GetCurrentProcessId()) && find(entry.th32ParentProcessID) &&
         _wcsicmp(entry.szExeFile, L"services.exe") == 0;
}

// ---- The reports ----

SERVICE_STATUS Status() {
  SERVICE_STATUS status = {};
  status.dwServiceType = SERVICE_WIN32_OWN_PROCESS;
  const int64_t ended_with = end_status.load();
  if (ended_with != kUnknown) {
    status.dwCurrentState = SERVICE_STOPPED;
    if (ended_with != 0) {
      status.dwWin32ExitCode = ERROR_SERVICE_SPECIFIC_ERROR;
      status.dwServiceSpecificExitCode = static_cast<DWORD>(ended_with);
    }
  } else if (is_running.load() && !stop_asked.load()) {
    status.dwCurrentState = SERVICE_RUNNING;
    status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_SHUTDOWN |
                                SERVICE_ACCEPT_PRESHUTDOWN | SERVICE_ACCEPT_PARAMCHANGE;
  } else {
    status.dwCurrentState = stop_asked.load() ? SERVICE_STOP_PENDING : SERVICE_START_PENDING;
    status.dwCheckPoint = ++checkpoint;
    status.dwWaitHint = kWaitHintMs;
  }
  return status;
}

enum class Reports { kAll, kAllButTheLast };

// Returns how long what was reported holds.
DWORD Report(Reports which) {
  AcquireSRWLockExclusive(&report_lock);
  DWORD holds_ms = INFINITE;
  SERVICE_STATUS status = Status();
  const bool is_last = status.dwCurrentState == SERVICE_STOPPED;
  if (!is_stopped && manager != nullptr && !(is_last && which == Reports::kAllButTheLast)) {
    SetServiceStatus(manager, &status);
    if (status.dwWaitHint != 0) holds_ms = kIntervalMs;
    if (is_last) {
      is_stopped = true;
      SetEvent(stopped);
    }
  }
  ReleaseSRWLockExclusive(&report_lock);
  return holds_ms;
}

// ---- What the system calls ----

DWORD Handle(DWORD control) {
  switch (control) {
    case SERVICE_CONTROL_INTERROGATE:
      return NO_ERROR;
    case SERVICE_CONTROL_PARAMCHANGE:
      // Without a handler it would end the process, which nobody who sends this means.
      return RecordIfTaken(kSighup, Origin::kService) ? NO_ERROR : ERROR_CALL_NOT_IMPLEMENTED;
    case SERVICE_CONTROL_STOP:
    case SERVICE_CONTROL_SHUTDOWN:
    case SERVICE_CONTROL_PRESHUTDOWN:
      if (!pending.IsIgnored(SIGTERM)) stop_asked.store(true);
      // Before the report, which may hang: from now on deadlines count.
      if (!RecordIfTaken(SIGTERM, Origin::kService)) ends_by_default.store(true);
      // The last one is the reporter's, after the answer to this.
      Report(Reports::kAllButTheLast);
      SetEvent(changed);
      return NO_ERROR;
    default:
      return ERROR_CALL_NOT_IMPLEMENTED;
  }
}

DWORD WINAPI OnControl(DWORD control, DWORD, void*, void*) {
  answering.fetch_add(1);
  const DWORD error = Handle(control);
  answering.fetch_sub(1);
  return error;
}

void WINAPI ServiceMain(DWORD count, LPWSTR* words) {
  // The name makes no difference to a process that is one service only.
  const SERVICE_STATUS_HANDLE registered =
      RegisterServiceCtrlHandlerExW(count > 0 ? words[0] : L"", OnControl, nullptr);
  AcquireSRWLockExclusive(&report_lock);
  manager = registered;
  ReleaseSRWLockExclusive(&report_lock);
  while (registered != nullptr && end_status.load() == kUnknown && !ends_by_default.load()) {
    WaitForSingleObject(changed, Report(Reports::kAllButTheLast));
  }
  while (answering.load() != 0) Sleep(1);
  const bool by_default = ends_by_default.load();
  if (by_default) {
    PidFileClaims::Instance().RemoveAtOnce();
    // It was asked to stop, so this is a success.
    int64_t unknown = kUnknown;
    end_status.compare_exchange_strong(unknown, 0);
  }
  Report(Reports::kAll);
  SetEvent(stopped);
  if (by_default) end::BySignal(SIGTERM);
}

void Dispatch(void*) {
  wchar_t any_name[] = L"";
  const SERVICE_TABLE_ENTRYW services[] = {{any_name, ServiceMain}, {nullptr, nullptr}};
  // Returns once the service has stopped; or at once, with error 1063, if this is none after all.
  if (!StartServiceCtrlDispatcherW(services)) is_service.store(false);
  SetEvent(stopped);
}

void ReportStopped(int status, DWORD patience_ms) noexcept {
  if (!is_service.load()) return;
  int64_t unknown = kUnknown;
  end_status.compare_exchange_strong(unknown, status);
  SetEvent(changed);
  WaitForSingleObject(stopped, patience_ms);
}

}  // namespace

bool Answer() {
  static bool asked = false;
  if (asked) return is_service.load();
  asked = true;
  if (!IsStartedByServiceManager()) return false;
  changed = CreateEventW(nullptr, FALSE, FALSE, nullptr);
  stopped = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  if (changed == nullptr || stopped == nullptr) return false;
  is_service.store(true);
  if (dispatcher.Start(Dispatch, nullptr) != 0) is_service.store(false);
  return is_service.load();
}

void SetRunning() {
  if (is_running.exchange(true) || !is_service.load()) return;
  SetEvent(changed);
}

void ReportExit(int status) {
  // The default handler's end, whoever has sent SIGTERM: what is a clean stop to systemd must not
  // look like a failure here, after which Windows would start the service again.
  const bool is_clean = status == 128 + SIGTERM;
  ReportStopped(is_clean ? 0 : status, kExitPatienceMs);
}

void ReportEnd(int status) noexcept { ReportStopped(status, kEndPatienceMs); }

}  // namespace daemoniker::service
