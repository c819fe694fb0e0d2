#include "win32/sender_name.h"

#include <windows.h>
// After windows.h, which it needs.
#include <winternl.h>

#include <algorithm>

#include "win32/handle.h"

namespace daemoniker {
namespace {

// As many whole characters as fit.
void Narrow(const wchar_t* text, size_t length, Name& name) {
  for (size_t count = std::min(length, kNameSize - 1); count > 0; --count) {
    if (IS_HIGH_SURROGATE(text[count - 1])) continue;
    const int size = WideCharToMultiByte(CP_UTF8, 0, text, static_cast<int>(count), name,
                                         static_cast<int>(kNameSize) - 1, nullptr, nullptr);
    name[size] = '\0';
    if (size > 0) return;
  }
}

}  // namespace

// QueryFullProcessImageNameW() would allocate.
void ReadSenderName(int64_t pid, Name& name) noexcept {
  const OwnedHandle process(
      ::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(pid)));
  if (!process.valid()) return;
  struct {
    UNICODE_STRING path;  // "\Device\HarddiskVolume1\...\node.exe", in what follows
    wchar_t text[2048];
  } image;
  if (NtQueryInformationProcess(process.get(), ProcessImageFileName, &image, sizeof image,
                                nullptr) != 0) {
    return;
  }
  const wchar_t* end = image.path.Buffer + image.path.Length / sizeof(wchar_t);
  const wchar_t* file = end;
  while (file > image.path.Buffer && file[-1] != L'\\') --file;
  Narrow(file, static_cast<size_t>(end - file), name);
}

}  // namespace daemoniker
