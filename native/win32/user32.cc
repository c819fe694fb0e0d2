#include "win32/user32.h"

namespace daemoniker {
namespace {

template <typename Function>
bool Find(HMODULE library, const char* name, Function* function) {
  // By way of the one type that any function pointer may be cast to without a warning.
  const auto found = reinterpret_cast<void (*)()>(GetProcAddress(library, name));
  *function = reinterpret_cast<Function>(found);
  return found != nullptr;
}

bool FindAll(User32* user32) {
  HMODULE library = GetModuleHandleW(L"user32.dll");
  if (library == nullptr) {
    library = LoadLibraryExW(L"user32.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  }
  return library != nullptr && Find(library, "CreateWindowExW", &user32->CreateWindowExW) &&
         Find(library, "DefWindowProcW", &user32->DefWindowProcW) &&
         Find(library, "DestroyWindow", &user32->DestroyWindow) &&
         Find(library, "DispatchMessageW", &user32->DispatchMessageW) &&
         Find(library, "MsgWaitForMultipleObjects", &user32->MsgWaitForMultipleObjects) &&
         Find(library, "PeekMessageW", &user32->PeekMessageW) &&
         Find(library, "RegisterClassExW", &user32->RegisterClassExW);
}

}  // namespace

const User32* FindUser32() {
  static User32 user32;
  static const bool found = FindAll(&user32);
  return found ? &user32 : nullptr;
}

}  // namespace daemoniker
