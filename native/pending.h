// What has arrived and not yet met its handler: one slot for each signal number.
//
// Written by signal handlers, on any thread, several at once; emptied by the main thread alone.
// Lock-free and async-signal-safe (POSIX.1-2017, 2.4.3: lock-free atomic objects may be used in a
// signal handler). A fixed size is enough because an arrival that meets an earlier one of its
// number still waiting only adds to that one's count, as the kernel coalesces pending signals,
// except that nothing is forgotten: the counts add up to what the handler saw.
//
// Who may touch a slot is decided by `count`. The arrival that takes it from 0 to 1 owns the
// fields until it publishes `sequence`; the main thread owns them from then until it takes `count`
// back to 0. The sender's name comes later than the rest and has a guard of its own.
#pragma once

#include <atomic>
#include <cstdint>

#include "shared_text.h"

namespace daemoniker {

// Signal numbers are 1 to 64 on every platform that has more than 31 (NSIG on Linux is 65).
constexpr int kMaxSignal = 64;

// How the signal was sent. The names in JavaScript stand in lib/native.ts, in the same order.
enum class Origin : int32_t {
  kProcess = 0,  // kill(2), pidfd_send_signal(2)
  kThread = 1,   // raise(3), pthread_kill(3), tgkill(2)
  kQueue = 2,    // sigqueue(3)
  kKernel = 3,   // the terminal, a timer
  kConsole = 4,  // a Windows console control event, or the end of the Windows session
  kPipe = 5,     // send() on Windows
  kService = 6,  // the service manager of Windows
};

constexpr int64_t kNoSender = -1;

// One signal as it reached this process.
struct Arrival {
  int32_t signum = 0;
  Origin origin = Origin::kKernel;
  int64_t sender_pid = kNoSender;  // kNoSender when the operating system names none
  int64_t sender_uid = kNoSender;  // kNoSender also where there are no numeric users (Windows)
  int64_t wall_us = 0;             // microseconds since the epoch
  int64_t steady_ns = 0;           // clock.h: does not run while the machine sleeps
  // Set by PendingSignals:
  uint64_t sequence = 0;  // order of arrival among all signals, from 1
  uint64_t count = 0;     // arrivals that this one stands for, itself included
};

// The name of a sender's program, ending in a zero byte; empty when it is not known.
constexpr size_t kNameSize = 32;
using Name = char[kNameSize];

class PendingSignals {
 public:
  // Async-signal-safe. The sequence number of this arrival; 0 when it only adds to an earlier one.
  uint64_t Record(const Arrival& arrival) noexcept {
    return Record(arrival, [](uint64_t) {});
  }

  // The same. Calls `complete(sequence)` before the main thread can take the arrival.
  template <typename Complete>
  uint64_t Record(const Arrival& arrival, Complete complete) noexcept {
    Slot& slot = slots_[arrival.signum];
    if (slot.count.fetch_add(1, std::memory_order_acq_rel) != 0) return 0;
    // Peek() may be reading what this overwrites, and must then see that it was taken.
    std::atomic_thread_fence(std::memory_order_release);
    slot.origin.store(static_cast<int32_t>(arrival.origin), std::memory_order_relaxed);
    slot.sender_pid.store(arrival.sender_pid, std::memory_order_relaxed);
    slot.sender_uid.store(arrival.sender_uid, std::memory_order_relaxed);
    slot.wall_us.store(arrival.wall_us, std::memory_order_relaxed);
    slot.steady_ns.store(arrival.steady_ns, std::memory_order_relaxed);
    const uint64_t sequence = next_sequence_.fetch_add(1, std::memory_order_relaxed) + 1;
    complete(sequence);
    slot.sequence.store(sequence, std::memory_order_release);
    waiting_.fetch_or(BitOf(arrival.signum));
    return sequence;
  }

  // Async-signal-safe as far as `read(pid, name)` is. Adds the sender's name to an arrival that
  // Record() has numbered. A sender that signals again within 100 ms is not looked up again.
  template <typename Read>
  void NameSender(const Arrival& arrival, uint64_t sequence, Read read) noexcept {
    Slot& slot = slots_[arrival.signum];
    // A handler on another thread is naming the arrival before this one: better no name than to
    // wait in a signal handler.
    if (slot.naming.exchange(true, std::memory_order_acq_rel)) return;
    const bool is_known =
        slot.named_pid == arrival.sender_pid && arrival.steady_ns - slot.named_ns < kNameLifetimeNs;
    if (!is_known) {
      Name name = {};
      read(arrival.sender_pid, name);
      MakePrintable(name);
      slot.name.Write(name, sequence);
      slot.named_pid = arrival.sender_pid;
      slot.named_ns = arrival.steady_ns;
    } else {
      slot.name.Renumber(sequence);
    }
    slot.naming.store(false, std::memory_order_release);
  }

  // The name of the sender of that arrival, which may have been taken. False while it is not known,
  // and once another arrival has been named in its place.
  bool ReadName(int signum, uint64_t sequence, Name& name) const noexcept {
    return slots_[signum].name.Read(name, sequence);
  }

  // The earliest arrival that waits, on the main thread. False when there is none.
  bool Take(Arrival* taken) noexcept {
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
      Copy(slot, signum, taken);
      taken->sequence = sequence;
      taken->count = slot.count.exchange(0, std::memory_order_acq_rel);
      return true;
    }
  }

  // A bit for each signal that waits (BitOf()).
  uint64_t Waiting() const noexcept { return waiting_.load(); }

  // Whoever could be made to wait until a signal has been handled (Windows, when the console or the
  // session ends) need not for these.
  void SetIgnored(int signum, bool ignored) noexcept {
    if (ignored) {
      ignored_.fetch_or(BitOf(signum));
    } else {
      ignored_.fetch_and(~BitOf(signum));
    }
  }
  bool IsIgnored(int signum) const noexcept { return (ignored_.load() & BitOf(signum)) != 0; }

  static constexpr uint64_t BitOf(int signum) { return uint64_t{1} << (signum - 1); }

  // Calls `visit(signum)` for each bit of such a set.
  template <typename Visit>
  static void ForEach(uint64_t signums, Visit visit) {
    for (int signum = 1; signums != 0; ++signum, signums >>= 1) {
      if ((signums & 1) != 0) visit(signum);
    }
  }

  // What waits for `signum`, without taking it. False when nothing does.
  bool Peek(int signum, Arrival* arrival) const noexcept {
    const Slot& slot = slots_[signum];
    const uint64_t seen = slot.sequence.load(std::memory_order_acquire);
    if (seen == 0 || seen == kCondemned) return false;
    Copy(slot, signum, arrival);
    arrival->sequence = seen;
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
  static constexpr int64_t kNameLifetimeNs = 100 * 1000 * 1000;

  struct Slot {
    std::atomic<uint64_t> count{0};
    std::atomic<uint64_t> sequence{0};
    std::atomic<int64_t> sender_pid{0};
    std::atomic<int64_t> sender_uid{0};
    std::atomic<int64_t> wall_us{0};
    std::atomic<int64_t> steady_ns{0};
    std::atomic<int32_t> origin{0};
    // Somebody is writing what follows, and nobody else may.
    std::atomic<bool> naming{false};
    int64_t named_pid = 0;
    int64_t named_ns = 0;
    SharedText<kNameSize> name;  // numbered by the arrival's sequence
  };

  static_assert(std::atomic<uint64_t>::is_always_lock_free,
                "signal handlers need lock-free atomics");

  // It comes from another process and may end up on a terminal: no control characters, neither
  // ASCII's nor, as UTF-8 has them, C1's.
  static void MakePrintable(Name& name) noexcept {
    unsigned char before = 0;
    for (char& byte : name) {
      const auto code = static_cast<unsigned char>(byte);
      if (code == 0) return;
      if (code < 0x20 || code == 0x7f || (before == 0xc2 && code < 0xa0)) {
        if (before == 0xc2) (&byte)[-1] = '?';
        byte = '?';
      }
      before = code;
    }
  }

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
  std::atomic<uint64_t> ignored_{0};
  std::atomic<uint64_t> next_sequence_{0};
};

// The one of this process. Constant-initialized and never destroyed: a signal handler may use it at
// any moment.
inline PendingSignals pending;

}  // namespace daemoniker
