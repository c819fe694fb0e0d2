// Keeps the C++ runtime's name demangler out of the addon: 100 KB and more that static C++ runtimes
// (libstdc++, libc++) carry for the message of an uncaught C++ exception, which this addon,
// compiled without exceptions, never has. The linker takes this definition and leaves theirs in the
// archive; what it says, -2, means "not a mangled name", and the runtimes then print the name as it
// is.
#include <cstddef>

extern "C" char* __cxa_demangle(const char*, char*, size_t*, int* status) {
  if (status != nullptr) *status = -2;
  return nullptr;
}
