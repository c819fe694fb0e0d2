// What has arrived and not yet met its handler: one slot for each signal number.
//
// Written by signal handlers, on any thread, several at once; emptied by the main thread alone.
// Lock-free and async-signal-safe (POSIX.1-2017, 2.4.3: lock-free atomic objects may be used in a
// signal handler). A fixed size is enough because an arrival that meets an earlier one of its
// number still waiting only adds to that one's count, as the kernel merges pending signals, except
// that nothing is forgotten: the counts add up to what the handler saw.
//
// Who may touch a slot is decided by `count`. The arrival that takes it from 0 to 1 owns the
// fields until it publishes `sequence`; the main thread owns them from then until it takes `count`
// back to 0.
#pragma once

#include <atomic>
#include <cstdint>

#include "arrival.h"

namespace daemoniker {

struct TakenArrival {
  Arrival arrival;
  uint64_t sequence = 0;  // order of arrival among all signals, from 1
  uint64_t count = 0;     // arrivals merged into this one, itself included
};

class PendingSignals {
 public:
  // Async-signal-safe.
  void Record(const Arrival& arrival) noexcept {
    Slot& slot = slots_[arrival.signum];
    if (slot.count.fetch_add(1, std::memory_order_acq_rel) != 0) return;
    // Peek() may be reading what this overwrites, and must then see that it was taken.
    std::atomic_thread_fence(std::memory_order_release);
    slot.origin.store(static_cast<int32_t>(arrival.origin), std::memory_order_relaxed);
    slot.sender_pid.store(arrival.sender_pid, std::memory_order_relaxed);
    slot.sender_uid.store(arrival.sender_uid, std::memory_order_relaxed);
    slot.wall_us.store(arrival.wall_us, std::memory_order_relaxed);
    slot.steady_ns.store(arrival.steady_ns, std::memory_order_relaxed);
    const uint64_t sequence = next_sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
    slot.sequence.store(sequence, std::memory_order_release);
    waiting_.fetch_or(BitOf(arrival.signum), std::memory_order_acq_rel);
  }

  // The earliest arrival that waits, on the main thread. False when there is none.
  bool Take(TakenArrival* taken) noexcept {
    for (;;) {
      const int signum = Earliest();
      if (signum == 0) return false;
      Slot& slot = slots_[signum];
      // Before the slot is emptied: whoever fills it again sets the bit again.
      waiting_.fetch_and(~BitOf(signum), std::memory_order_acq_rel);
      uint64_t sequence = slot.sequence.load(std::memory_order_acquire);
      if (sequence == kCondemned ||
          !slot.sequence.compare_exchange_strong(sequence, 0, std::memory_order_acq_rel)) {
        continue;
      }
      Copy(slot, signum, &taken->arrival);
      taken->sequence = sequence;
      taken->count = slot.count.exchange(0, std::memory_order_acq_rel);
      return true;
    }
  }

  // A bit for each signal that waits (BitOf()).
  uint64_t Waiting() const noexcept { return waiting_.load(std::memory_order_acquire); }

  static constexpr uint64_t BitOf(int signum) { return uint64_t{1} << (signum - 1); }

  // Calls `visit(signum)` for each bit of such a set.
  template <typename Visit>
  static void ForEach(uint64_t signums, Visit visit) {
    for (int signum = 1; signums != 0; ++signum, signums >>= 1) {
      if ((signums & 1) != 0) visit(signum);
    }
  }

  // What waits for `signum`, without taking it. False when nothing does.
  bool Peek(int signum, Arrival* arrival, uint64_t* sequence) const noexcept {
    const Slot& slot = slots_[signum];
    const uint64_t seen = slot.sequence.load(std::memory_order_acquire);
    if (seen == 0 || seen == kCondemned) return false;
    Copy(slot, signum, arrival);
    *sequence = seen;
    // The main thread may have taken it meanwhile, and a newer one may be half-written.
    std::atomic_thread_fence(std::memory_order_acquire);
    return slot.sequence.load(std::memory_order_relaxed) == seen;
  }

  // Takes the arrival away from the main thread because its deadline ends the process now. False
  // when the main thread was faster.
  bool Condemn(int signum, uint64_t sequence) noexcept {
    return slots_[signum].sequence.compare_exchange_strong(sequence, kCondemned,
                                                           std::memory_order_acq_rel);
  }

 private:
  static constexpr uint64_t kCondemned = ~uint64_t{0};

  struct Slot {
    std::atomic<uint64_t> count{0};
    std::atomic<uint64_t> sequence{0};
    std::atomic<int64_t> sender_pid{0};
    std::atomic<int64_t> sender_uid{0};
    std::atomic<int64_t> wall_us{0};
    std::atomic<int64_t> steady_ns{0};
    std::atomic<int32_t> origin{0};
  };

  static_assert(std::atomic<uint64_t>::is_always_lock_free,
                "signal handlers need lock-free atomics");

  static void Copy(const Slot& slot, int signum, Arrival* arrival) noexcept {
    arrival->signum = signum;
    arrival->origin = static_cast<Origin>(slot.origin.load(std::memory_order_relaxed));
    arrival->sender_pid = slot.sender_pid.load(std::memory_order_relaxed);
    arrival->sender_uid = slot.sender_uid.load(std::memory_order_relaxed);
    arrival->wall_us = slot.wall_us.load(std::memory_order_relaxed);
    arrival->steady_ns = slot.steady_ns.load(std::memory_order_relaxed);
  }

  int Earliest() const noexcept {
    int earliest = 0;
    uint64_t least = kCondemned;
    ForEach(Waiting(), [&](int signum) {
      const uint64_t sequence = slots_[signum].sequence.load(std::memory_order_acquire);
      if (sequence != 0 && sequence < least) {
        least = sequence;
        earliest = signum;
      }
    });
    return earliest;
  }

  Slot slots_[kMaxSignal + 1];
  std::atomic<uint64_t> waiting_{0};
  std::atomic<uint64_t> next_sequence_{0};
};

}  // namespace daemoniker
