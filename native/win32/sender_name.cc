#include "win32/sender_name.h"

#include <windows.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "win32/handle.h"
#include "win32/wide.h"

namespace daemoniker {

void ReadSenderName(int64_t pid, Name& name) noexcept {
  const OwnedHandle process(
      ::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(pid)));
  if (!process.valid()) return;
  std::wstring image(32768, L'\0');
  DWORD length = static_cast<DWORD>(image.size());
  if (!QueryFullProcessImageNameW(process.get(), 0, image.data(), &length)) return;
  image.resize(length);
  const std::string file = Narrow(image.substr(image.find_last_of(L"\\/") + 1));
  std::memcpy(name, file.data(), std::min(file.size(), kNameSize - 1));
}

}  // namespace daemoniker
