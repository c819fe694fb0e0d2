// The thread between the operating system and JavaScript.
//
// A signal source calls RecordArrival(), which records and wakes this thread. It forwards to the
// main thread through a thread-safe function, looks up who sent the signal, and keeps deadlines,
// which is why it is a thread: the main thread may be stuck. Parked, it costs no wake-up.
#pragma once

#include <napi.h>

#include <atomic>
#include <mutex>
#include <string>

#include "arrival.h"
#include "deadlines.h"
#include "pending_signals.h"
#include "thread.h"

namespace daemoniker {

// For signal sources: async-signal-safe, on any thread.
void RecordArrival(const Arrival& arrival) noexcept;

class Dispatcher {
 public:
  // The one of this process. All methods are for the main thread, unless they say otherwise.
  static Dispatcher& Instance();

  // From now on `on_arrival` is called on the event loop with whatever arrives. 0, or a libuv error
  // number with everything as before.
  int Start(Napi::Env env, const Napi::Function& on_arrival);
  // `on_arrival` is not called any more. The thread ends as well, unless an exit deadline needs it.
  void Stop();

  // Whether waiting for signals keeps the event loop alive.
  void SetReferenced(Napi::Env env, bool referenced);

  // Calls `on_arrival` with the earliest arrival that waits, if there is one.
  static void Deliver(Napi::Env env, const Napi::Function& on_arrival);
  // How many different signals wait.
  int Waiting() const;

  // The command name of the sender of an arrival that was taken.
  std::string SenderCommand(uint64_t sequence, int64_t pid, int64_t wall_us);

  // 0 ms: none.
  void SetSignalDeadline(int signum, double milliseconds);
  // Ends the process by `signum` that long from now, whatever happens. 0, or a libuv error number.
  int SetExitDeadline(double milliseconds, int signum);
  void CancelExitDeadline();

  // For atexit, on whichever thread that runs: no Node-API is touched any more.
  void LeaveJavaScriptAlone();

 private:
  struct ForwardContext {};
  static void Forwarded(Napi::Env env, Napi::Function on_arrival, ForwardContext*, void*);
  using Forwarder = Napi::TypedThreadSafeFunction<ForwardContext, void, Forwarded>;

  struct QueuedLookup {
    uint64_t sequence;
    int64_t pid;
    int64_t wall_us;
  };
  struct Lookup {
    uint64_t sequence = 0;
    std::string command;
  };
  static constexpr size_t kLookups = 16;

  int StartThread();
  void StopThread();
  void Run();
  void Forward();
  void QueueLookups();
  void LookUpSenders();
  void AddLookup(Lookup lookup);
  static void CleanUpEnvironment(void*);

  Thread thread_;
  std::atomic<bool> quit_{false};
  std::atomic<bool> leave_javascript_alone_{false};
  Deadlines deadlines_;

  // Guards the forwarder against being released while the thread uses it. Never held while
  // JavaScript runs.
  std::mutex forwarder_mutex_;
  Forwarder forwarder_;
  bool forwarding_ = false;
  napi_env env_ = nullptr;
  // A call of Forwarded() is on its way and has not begun.
  std::atomic<bool> forwarded_{false};

  // The thread's own: senders that it has yet to look up.
  QueuedLookup queue_[kLookups];
  size_t queued_ = 0;
  uint64_t last_queued_[kMaxSignal + 1] = {};
  // The thread's own: the sender that it looked up last.
  int64_t last_pid_ = kNoSender;
  std::string last_command_;
  int64_t last_looked_up_ns_ = 0;

  // What it found out about recent senders.
  std::mutex lookups_mutex_;
  Lookup lookups_[kLookups];
  size_t next_lookup_ = 0;
};

}  // namespace daemoniker
