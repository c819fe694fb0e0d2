// Operations on a file that others may have open.
//
// A virus scanner or a backup that does not share a file, and a deletion that is under way, are in
// the way for a moment. What fails because of them is tried again for a quarter of a second.
#pragma once

#include <windows.h>

#include <string>

namespace daemoniker {

class Patience {
 public:
  // After a failure, whose error GetLastError() still tells: true, after a pause, if it may be
  // temporary. Otherwise, and once the time is over, false, and the error is kept.
  bool TryAgain();

 private:
  ULONGLONG begun_ = GetTickCount64();
};

// Until `operation` returns true, or is not worth another try. Allocates nothing and takes no lock.
template <typename Operation>
bool Patiently(Operation operation) {
  Patience patience;
  while (!operation()) {
    if (!patience.TryAgain()) return false;
  }
  return true;
}

// As CreateFileW(), sharing everything: others may read, write and delete what we have open.
// INVALID_HANDLE_VALUE with GetLastError().
HANDLE OpenShared(const std::wstring& path, DWORD access, DWORD disposition, DWORD flags,
                  Patience* patience);

}  // namespace daemoniker
