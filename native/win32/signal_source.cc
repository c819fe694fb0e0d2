// Signals on Windows: console control events, the session's end, and the pipe that send() uses.
//
// There are no dispositions here. Taking over means that our console routine is called before
// libuv's; giving back means that it is gone. Which of libuv's listeners there are makes no
// difference, so Save() and PlanRestore() have nothing to do.
#include "signal_source.h"

#include <windows.h>

#include <atomic>
#include <csignal>

#include "clock.h"
#include "dispatcher.h"
#include "win32/arrivals.h"
#include "win32/console_events.h"
#include "win32/session_window.h"
#include "win32/signal_pipe.h"

namespace daemoniker {
namespace {

std::atomic<bool> taken[kMaxSignal + 1];
std::atomic<bool> ignored[kMaxSignal + 1];
std::atomic<bool> recording{false};
// Threads that have seen `recording` and may still be about to record.
std::atomic<int> recorders{0};

SignalPipeServer pipe_server;
SessionWindow session_window;

// While it lives, signal_source::Restore() does not return.
class Recorder {
 public:
  Recorder() { recorders.fetch_add(1); }
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;
  ~Recorder() { recorders.fetch_sub(1); }

  bool Record(int signum, Origin origin, int64_t sender_pid) const {
    if (!recording.load() || signum < 1 || signum > kMaxSignal || !taken[signum].load()) {
      return false;
    }
    Arrival arrival;
    arrival.signum = signum;
    arrival.origin = origin;
    arrival.sender_pid = sender_pid;
    arrival.wall_us = WallMicroseconds();
    arrival.steady_ns = SteadyNanoseconds();
    RecordArrival(arrival);
    return true;
  }
};

void StopRecording() {
  recording.store(false);
  // Each is a few instructions from its end, on another thread.
  while (recorders.load() != 0) SwitchToThread();
}

}  // namespace

bool RecordIfTaken(int signum, Origin origin, int64_t sender_pid) {
  return Recorder().Record(signum, origin, sender_pid);
}

bool RecordEnding(std::atomic<bool>* holding) {
  const Recorder recorder;
  if (!recorder.Record(SIGTERM, Origin::kConsole, kNoSender)) return false;
  if (!ignored[SIGTERM].load()) holding->store(true);
  return true;
}

namespace signal_source {

void Save(const std::vector<int>&) {}

void Abandon(const std::vector<int>&) { Restore(); }

int Install(const std::vector<int>& signums) {
  for (const int signum : signums) taken[signum].store(true);
  recording.store(true);
  int error = pipe_server.Start();
  if (error == 0) error = session_window.Start();
  if (error == 0) error = console_events::Start();
  if (error != 0) Restore();
  return error;
}

void SetIgnored(int signum, bool is_ignored) { ignored[signum].store(is_ignored); }

void PlanRestore(const std::vector<RestorePlan>&) {}

void Restore() {
  // First, and while requests are still recorded: those who come later find no pipe, and not one
  // that refuses them.
  pipe_server.Stop();
  StopRecording();
  console_events::Stop();
  session_window.Stop();
  for (std::atomic<bool>& signal : taken) signal.store(false);
}

void RestoreWithoutPlan() { Restore(); }

// Runs when the module is unloaded at the end of the process: the system has ended all other
// threads by then (MSDN, ExitProcess), calls no control routine any more, and takes back the rest.
void RestoreAtExit() { recording.store(false); }

void DieBySignal(int signum) {
  // Unlike ExitProcess() it does not wait for locks that another thread may hold.
  TerminateProcess(GetCurrentProcess(), static_cast<UINT>(128 + signum));
  // Does not return for the current process; the compiler is not told so.
  for (;;) Sleep(INFINITE);
}

bool CanDieBySignal() { return false; }

}  // namespace signal_source
}  // namespace daemoniker
