// Deadlines, kept by the dispatcher thread without any JavaScript.
//
// Only time in which the process could run counts. While a deadline is armed the thread looks at
// the clock in short slices; a slice that took far longer than asked for means that the process was
// stopped (SIGSTOP, a frozen cgroup, a debugger), and the deadline starts anew, once. Nor does it
// fire at the end of a slice that was only a little late: whoever kept this thread from running
// may have kept the main thread from it as well.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "arrival.h"
#include "pending_signals.h"

namespace daemoniker {

class Deadlines {
 public:
  // Any thread. An arrival that waits already has the new limit from now on.
  void SetForSignal(int signum, int64_t limit_ns);
  void SetForExit(int64_t limit_ns, int signum);
  // Nobody handles signals any more.
  void ClearSignals();
  // Afterwards the process is not ended any more.
  void CancelExit();
  bool exit_armed() const { return exit_limit_ns_.load(std::memory_order_acquire) != 0; }

  // The dispatcher thread, when it begins: nothing is left of the one before.
  void Begin();
  // The dispatcher thread: how long it may wait before the next Enforce(); negative: for ever.
  int64_t WaitLimit(const PendingSignals& pending);
  // Ends the process when a deadline has passed.
  void Enforce(PendingSignals& pending);

 private:
  struct Watch {
    uint64_t sequence = 0;
    int64_t armed_ns = 0;
    int64_t since_ns = 0;
    bool seen = false;
    bool renewed = false;
    int postponed = 0;

    // Whether a thread that is so late was not just waiting for a busy machine.
    static bool WasStopped(int64_t limit_ns, int64_t late_ns);
    // The thread knows of it from now on.
    void See(int64_t limit_ns, int64_t now_ns);
    int64_t Remaining(int64_t limit_ns, int64_t now_ns) const;
    // `late_ns`: how much later than asked for the thread has woken.
    bool HasPassed(int64_t limit_ns, int64_t now_ns, int64_t late_ns);
  };

  // The signals that wait and have a deadline, as PendingSignals::Waiting().
  uint64_t Watched(const PendingSignals& pending) const;
  Watch& WatchOf(const Arrival& arrival, uint64_t sequence, int64_t limit_ns, int64_t now_ns);
  void EnforceSignals(PendingSignals& pending, int64_t now_ns, int64_t late_ns);
  void EnforceExit(int64_t now_ns, int64_t late_ns);

  std::atomic<int64_t> limit_ns_[kMaxSignal + 1] = {};
  std::atomic<int64_t> armed_ns_[kMaxSignal + 1] = {};
  std::atomic<uint64_t> limited_{0};
  Watch watches_[kMaxSignal + 1];

  std::atomic<int64_t> exit_limit_ns_{0};
  std::mutex exit_mutex_;
  int exit_signum_ = 0;
  Watch exit_watch_;

  // The slice that the thread waits now; negative when it waits for ever.
  int64_t slice_began_ns_ = 0;
  int64_t slice_ns_ = -1;
  // When Enforce() looked at the clock; 0 when there was nothing to look for.
  int64_t looked_ns_ = 0;
};

}  // namespace daemoniker
