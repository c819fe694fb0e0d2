// What is used of user32.dll.
//
// Looked up at run time: Nano Server has none of the functions for windows, and what imports them
// does not load there.
#pragma once

#include <windows.h>

namespace daemoniker {

struct User32 {
  decltype(&::CreateWindowExW) CreateWindowExW;
  decltype(&::DefWindowProcW) DefWindowProcW;
  decltype(&::DestroyWindow) DestroyWindow;
  decltype(&::DispatchMessageW) DispatchMessageW;
  decltype(&::MsgWaitForMultipleObjects) MsgWaitForMultipleObjects;
  decltype(&::PeekMessageW) PeekMessageW;
  decltype(&::RegisterClassExW) RegisterClassExW;
};

// Null where there are no windows.
const User32* FindUser32();

}  // namespace daemoniker
