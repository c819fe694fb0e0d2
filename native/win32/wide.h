// Strings and paths as Windows takes them: JavaScript gives UTF-8, the system wants UTF-16.
#pragma once

#include <string>

namespace daemoniker {

std::wstring Widen(const std::string& utf8);
std::string Narrow(const std::wstring& utf16);

// Absolute, and with the prefix that lifts the limit of 260 characters where that is needed.
std::wstring NativePath(const std::string& path);

// What CreateFileW() makes of a native path, for calls of the kernel itself.
std::wstring KernelPath(const std::wstring& native_path);

// A pipe or another device ("\\.\pipe\x", "NUL", "\\server\pipe\x"), not a path in a file system:
// merely looking at one connects to it.
bool NamesADevice(const std::wstring& native_path);
bool NamesAPipe(const std::wstring& native_path);

}  // namespace daemoniker
