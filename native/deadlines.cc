#include "deadlines.h"

#include <algorithm>

#include "clock.h"
#include "obituary.h"
#include "signal_source.h"

namespace daemoniker {
namespace {

constexpr int64_t kMillisecond = 1000 * 1000;
constexpr int64_t kLongestSlice = 25 * kMillisecond;
// A slice that is late by more than this was not late because of a busy machine.
constexpr int64_t kLatenessOfAStoppedProcess = 50 * kMillisecond;
constexpr int64_t kLeastLateness = 5 * kMillisecond;
// What a main thread that is free needs for a signal that waits, many times over.
constexpr int64_t kPostponement = 10 * kMillisecond;
constexpr int kPostponements = 3;

}  // namespace

int64_t Deadlines::Watch::Remaining(int64_t limit_ns, int64_t now_ns) const {
  return std::max<int64_t>(0, since_ns + limit_ns - now_ns);
}

bool Deadlines::Watch::WasStopped(int64_t limit_ns, int64_t late_ns) {
  // Half of a short limit, so that such a stop cannot use it up unnoticed.
  return late_ns > std::clamp(limit_ns / 2, kLeastLateness, kLatenessOfAStoppedProcess);
}

void Deadlines::Watch::See(int64_t limit_ns, int64_t now_ns) {
  if (seen) return;
  seen = true;
  // Stopped between its beginning and this thread's waking up for it.
  if (WasStopped(limit_ns, now_ns - since_ns)) {
    renewed = true;
    since_ns = now_ns;
  }
}

bool Deadlines::Watch::HasPassed(int64_t limit_ns, int64_t now_ns, int64_t late_ns) {
  if (!renewed && WasStopped(limit_ns, late_ns)) {
    renewed = true;
    since_ns = now_ns;
  }
  if (Remaining(limit_ns, now_ns) > 0) return false;
  if (late_ns > kLeastLateness && postponed < kPostponements) {
    ++postponed;
    since_ns = now_ns - limit_ns + std::min(limit_ns, kPostponement);
    return false;
  }
  return true;
}

void Deadlines::SetForSignal(int signum, int64_t limit_ns) {
  if (limit_ns_[signum].load(std::memory_order_acquire) == limit_ns) return;
  const uint64_t bit = PendingSignals::BitOf(signum);
  armed_ns_[signum].store(SteadyNanoseconds(), std::memory_order_release);
  limit_ns_[signum].store(limit_ns, std::memory_order_release);
  if (limit_ns != 0) {
    limited_.fetch_or(bit, std::memory_order_acq_rel);
  } else {
    limited_.fetch_and(~bit, std::memory_order_acq_rel);
  }
}

void Deadlines::ClearSignals() {
  PendingSignals::ForEach(limited_.load(std::memory_order_acquire),
                          [this](int signum) { SetForSignal(signum, 0); });
}

void Deadlines::SetForExit(int64_t limit_ns, int signum) {
  std::lock_guard<std::mutex> lock(exit_mutex_);
  exit_signum_ = signum;
  exit_watch_ = {};
  exit_watch_.since_ns = SteadyNanoseconds();
  exit_limit_ns_.store(std::max<int64_t>(1, limit_ns), std::memory_order_release);
}

void Deadlines::CancelExit() {
  std::lock_guard<std::mutex> lock(exit_mutex_);
  exit_limit_ns_.store(0, std::memory_order_release);
}

uint64_t Deadlines::Watched(const PendingSignals& pending) const {
  return limited_.load(std::memory_order_acquire) & pending.Waiting();
}

Deadlines::Watch& Deadlines::WatchOf(const Arrival& arrival, uint64_t sequence, int64_t limit_ns,
                                     int64_t now_ns) {
  Watch& watch = watches_[arrival.signum];
  const int64_t armed_ns = armed_ns_[arrival.signum].load(std::memory_order_acquire);
  if (watch.sequence != sequence || watch.armed_ns != armed_ns) {
    watch = {};
    watch.sequence = sequence;
    watch.armed_ns = armed_ns;
    watch.since_ns = std::max(arrival.steady_ns, armed_ns);
    watch.See(limit_ns, now_ns);
  }
  return watch;
}

void Deadlines::Begin() {
  slice_ns_ = -1;
  looked_ns_ = 0;
}

int64_t Deadlines::WaitLimit(const PendingSignals& pending) {
  const uint64_t watched = Watched(pending);
  if (watched == 0 && !exit_armed()) {
    Begin();
    return -1;
  }
  const int64_t now_ns = SteadyNanoseconds();
  int64_t wait_ns = kLongestSlice;
  PendingSignals::ForEach(watched, [&](int signum) {
    const int64_t limit_ns = limit_ns_[signum].load(std::memory_order_acquire);
    Arrival arrival;
    uint64_t sequence;
    if (limit_ns == 0 || !pending.Peek(signum, &arrival, &sequence)) return;
    wait_ns =
        std::min(wait_ns, WatchOf(arrival, sequence, limit_ns, now_ns).Remaining(limit_ns, now_ns));
  });
  if (exit_armed()) {
    std::lock_guard<std::mutex> lock(exit_mutex_);
    const int64_t limit_ns = exit_limit_ns_.load(std::memory_order_acquire);
    if (limit_ns != 0) {
      exit_watch_.See(limit_ns, now_ns);
      wait_ns = std::min(wait_ns, exit_watch_.Remaining(limit_ns, now_ns));
    }
  }
  // Since the last look and not since now: the process may have been stopped in between.
  slice_began_ns_ = looked_ns_ != 0 ? looked_ns_ : now_ns;
  slice_ns_ = wait_ns;
  return wait_ns;
}

void Deadlines::Enforce(PendingSignals& pending) {
  looked_ns_ = 0;
  if (Watched(pending) == 0 && !exit_armed()) return;
  const int64_t now_ns = SteadyNanoseconds();
  const int64_t late_ns = slice_ns_ < 0 ? 0 : now_ns - slice_began_ns_ - slice_ns_;
  looked_ns_ = now_ns;
  EnforceSignals(pending, now_ns, late_ns);
  if (exit_armed()) EnforceExit(now_ns, late_ns);
}

void Deadlines::EnforceSignals(PendingSignals& pending, int64_t now_ns, int64_t late_ns) {
  PendingSignals::ForEach(Watched(pending), [&](int signum) {
    const int64_t limit_ns = limit_ns_[signum].load(std::memory_order_acquire);
    Arrival arrival;
    uint64_t sequence;
    if (limit_ns == 0 || !pending.Peek(signum, &arrival, &sequence)) return;
    Watch& watch = WatchOf(arrival, sequence, limit_ns, now_ns);
    if (!watch.HasPassed(limit_ns, now_ns, late_ns)) return;
    if (!pending.Condemn(signum, sequence)) return;
    SayObituary({arrival, sequence, now_ns - arrival.steady_ns});
    signal_source::DieBySignal(signum);
  });
}

void Deadlines::EnforceExit(int64_t now_ns, int64_t late_ns) {
  // Held to the end: who cancels it in this very moment never returns.
  std::lock_guard<std::mutex> lock(exit_mutex_);
  const int64_t limit_ns = exit_limit_ns_.load(std::memory_order_acquire);
  if (limit_ns == 0) return;
  exit_watch_.See(limit_ns, now_ns);
  if (!exit_watch_.HasPassed(limit_ns, now_ns, late_ns)) return;
  SayObituary(exit_signum_, limit_ns);
  signal_source::DieBySignal(exit_signum_);
}

}  // namespace daemoniker
