// Signals on Windows: console control events, the session's end, and the pipe that send() uses.
//
// There are no dispositions here. Taking a signal over means that our console routine, which is
// called before libuv's, and our pipe answer for it; giving it back means that they do not. Which
// of libuv's listeners there are makes no difference.
#include "dispositions.h"

#include <windows.h>
// After windows.h, which it needs.
#include <winternl.h>

#include <algorithm>
#include <atomic>
#include <csignal>

#include "clock.h"
#include "messenger.h"
#include "pending.h"
#include "shutdown.h"
#include "watcher.h"
#include "win32/arrivals.h"
#include "win32/console_events.h"
#include "win32/handle.h"
#include "win32/session_window.h"
#include "win32/signal_pipe.h"

// No header declares it (MSDN, "RtlDllShutdownInProgress function").
extern "C" NTSYSAPI BOOLEAN NTAPI RtlDllShutdownInProgress();

namespace daemoniker {
namespace {

std::atomic<bool> taken[kMaxSignal + 1];
// Threads that may still be about to record.
std::atomic<int> recorders{0};

SignalPipeServer pipe_server;
SessionWindow session_window;

// As many whole characters as fit.
void Narrow(const wchar_t* text, size_t length, Name& name) {
  for (size_t count = std::min(length, kNameSize - 1); count > 0; --count) {
    if (IS_HIGH_SURROGATE(text[count - 1])) continue;
    const int size = WideCharToMultiByte(CP_UTF8, 0, text, static_cast<int>(count), name,
                                         static_cast<int>(kNameSize) - 1, nullptr, nullptr);
    name[size] = '\0';
    if (size > 0) return;
  }
}

// The file name of the program, as UTF-8, cut to what fits. QueryFullProcessImageNameW() would
// allocate.
void ReadSenderName(int64_t pid, Name& name) noexcept {
  const OwnedHandle process(
      ::OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION, FALSE, static_cast<DWORD>(pid)));
  if (!process.valid()) return;
  struct {
    UNICODE_STRING path;  // "\Device\HarddiskVolume1\...\node.exe", in what follows
    wchar_t text[2048];
  } image;
  if (NtQueryInformationProcess(process.get(), ProcessImageFileName, &image, sizeof image,
                                nullptr) != 0) {
    return;
  }
  const wchar_t* end = image.path.Buffer + image.path.Length / sizeof(wchar_t);
  const wchar_t* file = end;
  while (file > image.path.Buffer && file[-1] != L'\\') --file;
  Narrow(file, static_cast<size_t>(end - file), name);
}

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
    uint64_t sequence;
    {
      const shutdown::Arriving arriving;
      if (shutdown::NoteArrival(arrival)) watcher::Notify();
      // Named before the main thread, which may be delivering just now, can ask for it: a tool that
      // sends a signal takes far longer to start. It waits for our answer, so it is still there.
      sequence = pending.Record(arrival, [&](uint64_t number) {
        if (sender_pid > 0) pending.NameSender(arrival, number, ReadSenderName);
      });
    }
    if (sequence != 0 && watcher::Limits(signum)) watcher::Notify();
    messenger::Notify();
    return true;
  }
};

bool IsAnotherTaken(int signum) {
  for (int other = 1; other <= kMaxSignal; ++other) {
    if (other != signum && taken[other].load()) return true;
  }
  return false;
}

// Each soon ends, on another thread: at most, it looks up the name of a sender.
void WaitForRecorders() {
  while (recorders.load() != 0) SwitchToThread();
}

// The session's window is only there while SIGTERM is taken: a request to close cannot be passed on
// to anybody else, and would be lost.
int StartSources(int signum) {
  int error = pipe_server.Start();
  if (error == 0 && signum == SIGTERM) error = session_window.Start();
  if (error == 0) error = console_events::Start();
  return error;
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
  if (!between() || was_taken) return 0;
  taken[signum].store(true);
  const int error = StartSources(signum);
  if (error != 0) GiveBack(signum, After::kSaved, [] { return true; });
  return error;
}

void GiveBack(int signum, After, const Between& between) {
  between();
  if (!taken[signum].load()) return;
  const bool is_last = !IsAnotherTaken(signum);
  // While requests are still recorded: those who come later find no pipe, and not one that lets
  // them go without an answer.
  if (is_last) pipe_server.Stop();
  taken[signum].store(false);
  // Before the sources are stopped, which must know whether they have to hold a thread until the
  // end of the process.
  WaitForRecorders();
  if (signum == SIGTERM) session_window.Stop();
  if (is_last) console_events::Stop();
}

int Unreachable() { return pipe_server.Unreachable(); }

Range RealTimeSignals() { return {}; }

// Runs when the environment ends, or when the module is unloaded at the end of the process: there
// the system has ended all other threads (MSDN, ExitProcess), calls no control routine any more,
// and takes back the rest.
void GiveBackAtEnd() {
  const bool are_threads_gone = RtlDllShutdownInProgress() != FALSE;
  for (int signum = 1; signum <= kMaxSignal; ++signum) {
    if (are_threads_gone) {
      taken[signum].store(false);
    } else {
      GiveBack(signum, After::kSaved, [] { return true; });
    }
  }
}

}  // namespace dispositions
}  // namespace daemoniker
