#include "win32/shared_file.h"

// After windows.h, which it needs.
#include <winternl.h>

// No header declares it.
extern "C" NTSYSAPI NTSTATUS NTAPI RtlGetLastNtStatus();

namespace daemoniker {
namespace {

constexpr ULONGLONG kPatienceMs = 250;
// Access is denied for good, as a rule.
constexpr ULONGLONG kPatienceIfDeniedMs = 10;
constexpr DWORD kPauseMs = 2;

// ntstatus.h and windows.h exclude each other.
constexpr auto kStatusDeletePending = static_cast<NTSTATUS>(0xC0000056L);
constexpr auto kStatusCannotDelete = static_cast<NTSTATUS>(0xC0000121L);

// How long it may be worth waiting for that to go away. An NT status tells apart what Windows calls
// ERROR_ACCESS_DENIED.
ULONGLONG PatienceFor(DWORD error, NTSTATUS status) {
  switch (error) {
    case ERROR_SHARING_VIOLATION:
    case ERROR_USER_MAPPED_FILE:
      return kPatienceMs;
    case ERROR_ACCESS_DENIED:
      return status == kStatusDeletePending || status == kStatusCannotDelete ? kPatienceMs
                                                                             : kPatienceIfDeniedMs;
    default:
      return 0;
  }
}

}  // namespace

bool Patience::TryAgain() {
  const DWORD error = GetLastError();
  const ULONGLONG patience = PatienceFor(error, RtlGetLastNtStatus());
  if (GetTickCount64() - begun_ >= patience) {
    SetLastError(error);
    return false;
  }
  Sleep(kPauseMs);
  return true;
}

HANDLE OpenShared(const std::wstring& path, DWORD access, DWORD disposition, DWORD flags,
                  Patience* patience) {
  constexpr DWORD kShareAll = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE;
  for (;;) {
    const HANDLE file =
        CreateFileW(path.c_str(), access, kShareAll, nullptr, disposition, flags, nullptr);
    if (file != INVALID_HANDLE_VALUE || !patience->TryAgain()) return file;
  }
}

}  // namespace daemoniker
