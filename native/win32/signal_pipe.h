// How send() reaches a process on Windows, which has no signals between processes: every process
// with a running handler serves one named pipe, daemoniker-<pid>. Where the account may, it lies
// below \\.\pipe\ProtectedPrefix, where only administrators, or services of the same account, can
// take the name first; elsewhere it is \\.\pipe\daemoniker-<pid>.
//
// A client sends one Request as one message and gets one Reply: the signal has been recorded. When
// it gets none, because the handlers are just being started or stopped, it begins again. Both ends
// check who the other one is. Nothing waits longer than a known time.
#pragma once

#include <array>
#include <atomic>
#include <csignal>
#include <cstdint>
#include <string>

#include "thread.h"

namespace daemoniker {

namespace signal_pipe {

constexpr uint32_t kMagic = 0x4b4e4d44;  // "DMNK"
constexpr uint16_t kVersion = 1;

// Later versions append fields; a server answers in the version that it was asked in.
struct Request {
  uint32_t magic;
  uint16_t version;
  uint16_t length;  // of the whole message
  int32_t signum;
};

enum class Outcome : int32_t { kRecorded = 0, kNotTaken = 1 };

// What handlers take, and what ends a process that has none.
inline bool IsForHandlers(int signum) {
  return signum == SIGINT || signum == SIGTERM || signum == SIGABRT;
}

struct Reply {
  uint32_t magic;
  uint16_t version;
  uint16_t length;
  int32_t outcome;  // Outcome
};

// In the order in which both ends try them; the last one is for everybody.
std::array<std::wstring, 4> PipeNames(int64_t pid);

// ERROR_SUCCESS when somebody serves a pipe of that name, whoever may use it; ERROR_FILE_NOT_FOUND
// when nobody does; or why that cannot be told.
unsigned long Look(const std::wstring& name);

// The client. 0 once the signal is recorded; ENOENT when there is no such pipe, so no handler
// runs; ENOSYS when its handlers do not take this signal; ETIMEDOUT when it does not answer; EPROTO
// when what answers is not that process or not our server; any other error of the system.
int Send(int64_t pid, int signum);

}  // namespace signal_pipe

class SignalPipeServer {
 public:
  // 0, or a libuv error number. That it can have no pipe for now is none: see Unreachable().
  int Start();
  // Finishes the exchange that is under way.
  void Stop();
  // While it has no pipe, and tries again each second, why: EADDRINUSE when somebody else has taken
  // the name, EPERM when the system lets this process have none (AppContainer). Else 0.
  int Unreachable() const { return unreachable_.load(); }

 private:
  static void Run(void* self);
  // `waits_for_name`: a better name that is taken now may be free in a moment.
  int Create(bool waits_for_name);
  bool AwaitPipe();
  bool AwaitClient();
  void Serve();

  Thread thread_;
  // HANDLEs.
  void* pipe_ = nullptr;
  void* io_done_ = nullptr;
  void* stop_ = nullptr;
  std::atomic<int> unreachable_{0};
};

}  // namespace daemoniker
