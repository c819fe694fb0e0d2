#include "win32/wide.h"

#include <windows.h>

#include <cwchar>

namespace daemoniker {
namespace {

bool StartsWith(const std::wstring& text, const wchar_t* prefix) {
  return _wcsnicmp(text.c_str(), prefix, std::wcslen(prefix)) == 0;
}

}  // namespace

std::wstring Widen(const std::string& utf8) {
  const int size = static_cast<int>(utf8.size());
  std::wstring wide(
      static_cast<size_t>(MultiByteToWideChar(CP_UTF8, 0, utf8.data(), size, nullptr, 0)), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8.data(), size, wide.data(), static_cast<int>(wide.size()));
  return wide;
}

std::string Narrow(const std::wstring& utf16) {
  const int size = static_cast<int>(utf16.size());
  std::string narrow(static_cast<size_t>(WideCharToMultiByte(CP_UTF8, 0, utf16.data(), size,
                                                             nullptr, 0, nullptr, nullptr)),
                     '\0');
  WideCharToMultiByte(CP_UTF8, 0, utf16.data(), size, narrow.data(),
                      static_cast<int>(narrow.size()), nullptr, nullptr);
  return narrow;
}

std::wstring NativePath(const std::string& path) {
  const std::wstring wide = Widen(path);
  // Already in the form that Windows takes literally.
  if (StartsWith(wide, L"\\\\?\\")) return wide;
  std::wstring full;
  for (;;) {
    const DWORD room = static_cast<DWORD>(full.size());
    const DWORD length = GetFullPathNameW(wide.c_str(), room, full.data(), nullptr);
    if (length == 0) return wide;
    full.resize(length);
    // More than there is room for: what it needs, for the current directory as it is now. Another
    // thread may change that.
    if (length < room) break;
  }
  // MSDN, "Maximum Path Length Limitation": the prefix turns off all parsing, so it only goes in
  // front of what GetFullPathNameW() has made regular.
  if (full.size() < MAX_PATH || StartsWith(full, L"\\\\.\\")) return full;
  if (StartsWith(full, L"\\\\")) return L"\\\\?\\UNC\\" + full.substr(2);
  return L"\\\\?\\" + full;
}

std::wstring KernelPath(const std::wstring& native_path) {
  if (StartsWith(native_path, L"\\\\?\\")) return L"\\??\\" + native_path.substr(4);
  if (StartsWith(native_path, L"\\\\")) return L"\\??\\UNC\\" + native_path.substr(2);
  return L"\\??\\" + native_path;
}

bool NamesADevice(const std::wstring& path) {
  if (StartsWith(path, L"\\\\.\\")) return true;
  if (StartsWith(path, L"\\\\?\\")) {
    return !StartsWith(path, L"\\\\?\\UNC\\") && !StartsWith(path, L"\\\\?\\Volume{") &&
           !(path.size() > 5 && path[5] == L':');
  }
  return NamesAPipe(path);
}

bool NamesAPipe(const std::wstring& path) {
  if (StartsWith(path, L"\\\\.\\pipe\\") || StartsWith(path, L"\\\\?\\pipe\\")) return true;
  if (!StartsWith(path, L"\\\\")) return false;
  const size_t share = path.find(L'\\', 2);
  return share != std::wstring::npos && _wcsnicmp(path.c_str() + share, L"\\pipe\\", 6) == 0;
}

}  // namespace daemoniker
