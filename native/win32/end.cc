#include "end.h"

#include <windows.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "thread.h"
#include "win32/service.h"

namespace daemoniker::end {

void RegisterAtExit(void (*clean_up)(), void (*last)()) {
  // Node unloads the addons of a worker thread when that ends, which runs what is registered here.
  // And code that a thread runs must stay.
  HMODULE self;
  GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN | GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS,
                     reinterpret_cast<LPCWSTR>(&RegisterAtExit), &self);
  std::atexit(last);
  std::atexit(clean_up);
}

void BySignal(int signum) noexcept { WithStatus(128 + signum); }

void WithStatus(int status) noexcept {
  service::ReportEnd(status);
  // Unlike ExitProcess() it does not wait for locks that another thread may hold.
  TerminateProcess(GetCurrentProcess(), static_cast<UINT>(status));
  // Does not return for the current process; the compiler is not told so.
  for (;;) Sleep(INFINITE);
}

bool CanDieBySignal() { return false; }

// A console gets its mode back from its host.
void PrepareTerminalReset() {}
void ResetTerminal() noexcept {}

}  // namespace daemoniker::end

namespace daemoniker::standard_error {
namespace {

// Enough for a line that is not going to be stuck, by a thread that has to start first, on a busy
// machine.
constexpr DWORD kPatienceMs = 100;

void WriteAll(const char* text, size_t length) {
  const HANDLE standard_error = GetStdHandle(STD_ERROR_HANDLE);
  // Standard handles may have been opened for overlapped I/O; then a write without OVERLAPPED is
  // not allowed. Only disk files would take a position from it.
  OVERLAPPED overlapped = {};
  OVERLAPPED* position = GetFileType(standard_error) == FILE_TYPE_PIPE ? &overlapped : nullptr;
  DWORD count = 0;
  if (!WriteFile(standard_error, text, static_cast<DWORD>(length), &count, position) &&
      GetLastError() == ERROR_IO_PENDING) {
    GetOverlappedResult(standard_error, &overlapped, &count, TRUE);
  }
}

struct Line {
  char text[640];
  size_t length;
  HANDLE written;
  Thread writer;
};

void WriteLine(void* raw) {
  const Line* line = static_cast<Line*>(raw);
  WriteAll(line->text, line->length);
  SetEvent(line->written);
}

}  // namespace

// Windows cannot tell whether a write will block: a full pipe does, and so does a console in which
// text is being selected. So another thread writes, and is left alone if it is stuck.
void Write(const char* text) {
  auto* line = new Line();
  line->length = std::min(std::strlen(text), sizeof line->text);
  std::memcpy(line->text, text, line->length);
  line->written = CreateEventW(nullptr, TRUE, FALSE, nullptr);
  if (line->written == nullptr || line->writer.Start(WriteLine, line) != 0) return;
  WaitForSingleObject(line->written, kPatienceMs);
  // Neither joined nor freed: the process ends now.
}

void WriteOrHang(const char* text, bool (*may_write)()) {
  if (may_write == nullptr || may_write()) WriteAll(text, std::strlen(text));
}

// A file always takes it.
void WriteOrSkip(const char* text) {
  if (GetFileType(GetStdHandle(STD_ERROR_HANDLE)) == FILE_TYPE_DISK) WriteOrHang(text);
}

}  // namespace daemoniker::standard_error
