// Signals on Windows: console control events, the session's end, and the pipe that send() uses.
//
// There are no dispositions here. Taking a signal over means that our console routine, which is
// called before libuv's, answers for it; giving it back means that it does not. Which of libuv's
// listeners there are makes no difference.
#include "dispositions.h"

#include <windows.h>

#include <atomic>
#include <csignal>

#include "clock.h"
#include "messenger.h"
#include "pending.h"
#include "watcher.h"
#include "win32/arrivals.h"
#include "win32/console_events.h"
#include "win32/sender_name.h"
#include "win32/session_window.h"
#include "win32/signal_pipe.h"

namespace daemoniker {
namespace {

std::atomic<bool> taken[kMaxSignal + 1];
// Threads that may still be about to record.
std::atomic<int> recorders{0};

SignalPipeServer pipe_server;
SessionWindow session_window;

// While it lives, dispositions::GiveBack() does not return.
class Recorder {
 public:
  Recorder() { recorders.fetch_add(1); }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder() { recorders.fetch_sub(1); }

  bool Record(int signum, Origin origin, int64_t sender_pid) const {
    if (signum < 1 || signum > kMaxSignal || !taken[signum].load()) return false;
    Arrival arrival;
    arrival.signum = signum;
    arrival.origin = origin;
    arrival.sender_pid = sender_pid;
    arrival.wall_us = WallMicroseconds();
    arrival.steady_ns = SteadyNanoseconds();
    const uint64_t sequence = pending.Record(arrival);
    messenger::Notify();
    if (sequence == 0) return true;
    // The sender waits for our answer, so it is still there.
    if (sender_pid > 0) pending.NameSender(arrival, sequence, ReadSenderName);
    if (watcher::Limits(signum)) watcher::Notify();
    return true;
  }
};

bool IsAnythingTaken() {
  for (const std::atomic<bool>& signal : taken) {
    if (signal.load()) return true;
  }
  return false;
}

// Each is a few instructions from its end, on another thread.
void WaitForRecorders() {
  while (recorders.load() != 0) SwitchToThread();
}

int StartSources() {
  int error = pipe_server.Start();
  if (error == 0) error = session_window.Start();
  if (error == 0) error = console_events::Start();
  return error;
}

void StopSources() {
  console_events::Stop();
  session_window.Stop();
}

}  // namespace

bool RecordIfTaken(int signum, Origin origin, int64_t sender_pid) {
  return Recorder().Record(signum, origin, sender_pid);
}

bool RecordEnding(std::atomic<bool>* holding) {
  const Recorder recorder;
  if (!recorder.Record(SIGTERM, Origin::kConsole, kNoSender)) return false;
  if (!pending.IsIgnored(SIGTERM)) holding->store(true);
  return true;
}

namespace dispositions {

int Take(int signum, const Between& between) {
  const bool was_taken = taken[signum].load();
  if (!between()) return 0;
  taken[signum].store(true);
  const int error = StartSources();
  if (error == 0 || was_taken) return error;
  GiveBack(signum, After::kSaved, [] { return true; });
  return error;
}

void GiveBack(int signum, After, const Between& between) {
  between();
  if (!taken[signum].load()) return;
  taken[signum].store(false);
  if (IsAnythingTaken()) return WaitForRecorders();
  // First, and while requests are still recorded: those who come later find no pipe, and not one
  // that refuses them.
  taken[signum].store(true);
  pipe_server.Stop();
  taken[signum].store(false);
  WaitForRecorders();
  StopSources();
}

// Runs when the environment ends, or when the module is unloaded at the end of the process: there
// the system has ended all other threads by then (MSDN, ExitProcess), calls no control routine any
// more, and takes back the rest.
void GiveBackAtEnd() {
  for (std::atomic<bool>& signal : taken) signal.store(false);
}

}  // namespace dispositions
}  // namespace daemoniker
