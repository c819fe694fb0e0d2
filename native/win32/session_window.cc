#include "win32/session_window.h"

#include <windows.h>

#include <atomic>
#include <csignal>

#include "win32/arrivals.h"
#include "win32/error_codes.h"
#include "win32/user32.h"

namespace daemoniker {
namespace {

// Found by this name in the end-to-end tests.
constexpr wchar_t kClassName[] = L"daemoniker.SessionWindow";

// For a window. Where that takes longer, the system itself is stuck, and start() must not be.
constexpr DWORD kPatienceMs = 5000;

// WM_ENDSESSION is being answered, until the end of the process.
std::atomic<bool> holding{false};

// Set before there is a window.
const User32* user32 = nullptr;

LRESULT CALLBACK OnMessage(HWND window, UINT message, WPARAM wparam, LPARAM lparam) {
  // What asks a process without a console to close, such as taskkill without /F. The default
  // procedure would destroy the window, and the session's end would go unnoticed.
  if (message == WM_CLOSE) {
    RecordIfTaken(SIGTERM, Origin::kConsole);
    return 0;
  }
  if (message == WM_QUERYENDSESSION) return TRUE;  // no objection; others may still have one
  if (message == WM_ENDSESSION) {
    // MSDN, WM_ENDSESSION: "the session can end any time after all applications have returned from
    // processing this message".
    if (wparam != FALSE && RecordEnding(&holding) && holding.load()) Sleep(INFINITE);
    return 0;
  }
  return user32->DefWindowProcW(window, message, wparam, lparam);
}

HWND CreateHiddenWindow() {
  // The class belongs to this module, so that two copies of the addon do not share a procedure.
  HMODULE self = nullptr;
  GetModuleHandleExW(
      GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
      reinterpret_cast<LPCWSTR>(&OnMessage), &self);
  WNDCLASSEXW window_class = {};
  window_class.cbSize = sizeof window_class;
  window_class.lpfnWndProc = OnMessage;
  window_class.hInstance = self;
  window_class.lpszClassName = kClassName;
  user32->RegisterClassExW(&window_class);
  // A top-level window: message-only windows (HWND_MESSAGE) get no broadcasts.
  return user32->CreateWindowExW(0, kClassName, L"daemoniker", WS_OVERLAPPED, 0, 0, 0, 0, nullptr,
                                 nullptr, self, nullptr);
}

}  // namespace

int SessionWindow::Start() {
  if (stop_ != nullptr) return 0;
  user32 = FindUser32();
  if (user32 == nullptr) return 0;
  stop_ = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  if (stop_ == nullptr) return LastUvError();
  created_ = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  const int error = created_ == nullptr ? LastUvError() : thread_.Start(Run, this);
  if (error != 0) {
    Stop();
    return error;
  }
  WaitForSingleObject(created_, kPatienceMs);
  return 0;
}

void SessionWindow::Stop() {
  if (stop_ == nullptr) return;
  SetEvent(stop_);
  // Should the session end right now, the thread stays for the rest of the process: when it
  // returned, the system might end the process in the middle of its cleaning up.
  if (holding.load()) return;
  thread_.Join();
  if (created_ != nullptr) CloseHandle(created_);
  CloseHandle(stop_);
  created_ = nullptr;
  stop_ = nullptr;
}

void SessionWindow::Run(void* raw) {
  const auto* self = static_cast<SessionWindow*>(raw);
  const HANDLE stop = self->stop_;
  const HWND window = CreateHiddenWindow();
  SetEvent(self->created_);
  if (window == nullptr) return;
  while (user32->MsgWaitForMultipleObjects(1, &stop, FALSE, INFINITE, QS_ALLINPUT) ==
         WAIT_OBJECT_0 + 1) {
    MSG message;
    while (user32->PeekMessageW(&message, nullptr, 0, 0, PM_REMOVE)) {
      // It belongs to the thread and not to a window: its poster asks the program to exit.
      if (message.message == WM_QUIT) {
        RecordIfTaken(SIGTERM, Origin::kConsole);
      } else {
        user32->DispatchMessageW(&message);
      }
    }
  }
  user32->DestroyWindow(window);
}

}  // namespace daemoniker
