#include "shutdown.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "clock.h"
#include "end.h"
#include "shared_text.h"

namespace daemoniker::shutdown {
namespace {

// A relay's copy, or a supervisor's: whoever is impatient has waited for a moment.
constexpr int32_t kImpatientAfterMs = 500;

// As PendingSignals::Waiting().
std::atomic<uint64_t> begins{0};
std::atomic<uint64_t> ends{0};

constexpr int64_t kNever = 0;
constexpr int64_t kCondemned = -1;
std::atomic<int64_t> begun_ns{kNever};
// The program's own; 0: that of signals.
std::atomic<int64_t> limit_ns{0};
std::atomic<int64_t> limit_of_signals_ns{0};
std::atomic<bool> is_seen{false};
std::atomic<int> ended_by{0};

// Who has asked for the shutdown, and when first (RequestOf()); 0: free. Whoever finds no place
// cannot be impatient.
std::atomic<uint64_t> requests[16];

// Arrivals that may be noted and do not wait yet.
std::atomic<int> arriving{0};

SharedText<sizeof(Running)> running_text;
std::atomic<int64_t> running_since_ns{0};

bool Has(const std::atomic<uint64_t>& signums, int signum) {
  return (signums.load() & PendingSignals::BitOf(signum)) != 0;
}

void Set(std::atomic<uint64_t>* signums, int signum, bool included) {
  if (included) {
    signums->fetch_or(PendingSignals::BitOf(signum));
  } else {
    signums->fetch_and(~PendingSignals::BitOf(signum));
  }
}

// The source, and the time in milliseconds, which begins again after 49 days: in one word, so that
// a handler on another thread that is late cannot leave its time to another source. The terminal,
// which names no sender, is one source; so is each process.
uint64_t RequestOf(const Arrival& arrival) {
  const auto source = static_cast<uint32_t>(arrival.sender_pid - kNoSender + 1);
  const auto milliseconds = static_cast<uint32_t>(arrival.steady_ns / kMillisecond);
  return static_cast<uint64_t>(source) << 32 | milliseconds;
}

bool AreOfOneSource(uint64_t request, uint64_t other) { return request >> 32 == other >> 32; }

int32_t MillisecondsBetween(uint64_t request, uint64_t later) {
  return static_cast<int32_t>(static_cast<uint32_t>(later) - static_cast<uint32_t>(request));
}

// The earliest time counts: a handler on another thread may be noting a later request of this
// source.
void Ask(uint64_t request) {
  for (std::atomic<uint64_t>& place : requests) {
    uint64_t found = place.load();
    while (found == 0 ||
           (AreOfOneSource(request, found) && MillisecondsBetween(request, found) > 0)) {
      if (place.compare_exchange_weak(found, request)) return;
    }
    if (AreOfOneSource(request, found)) return;
  }
}

bool IsImpatient(uint64_t request) {
  for (const std::atomic<uint64_t>& place : requests) {
    const uint64_t found = place.load();
    if (!AreOfOneSource(request, found)) continue;
    return MillisecondsBetween(found, request) > kImpatientAfterMs;
  }
  return false;
}

bool BeginNow(int64_t now_ns) {
  int64_t never = kNever;
  return begun_ns.compare_exchange_strong(never, now_ns);
}

int64_t Limit() {
  const int64_t limit = limit_ns.load();
  return limit != 0 ? limit : limit_of_signals_ns.load();
}

bool MayWait() { return arriving.load() != 0 || (pending.Waiting() & begins.load()) != 0; }

// Those that wait have asked for the next one. When the first of them has arrived.
int64_t AskForWaiting() {
  int64_t first_ns = SteadyNanoseconds();
  PendingSignals::ForEach(pending.Waiting() & begins.load(), [&](int signum) {
    Arrival arrival;
    if (!pending.Peek(signum, &arrival)) return;
    first_ns = std::min(first_ns, arrival.steady_ns);
    Ask(RequestOf(arrival));
  });
  return first_ns;
}

// True when what waits has begun the next one.
bool Reset() {
  int64_t begun = begun_ns.load();
  if (begun == kNever || begun == kCondemned) return false;
  if (!begun_ns.compare_exchange_strong(begun, kNever)) return false;
  limit_ns.store(0);
  ended_by.store(0);
  for (std::atomic<uint64_t>& place : requests) place.store(0);
  // Each soon waits, on another thread: at most (Windows), it looks up the name of its sender.
  while (arriving.load() != 0) std::this_thread::yield();
  // One of them may have found its source impatient with the shutdown that is over.
  ended_by.store(0);
  // It was taken for a repeated signal, and has the limit of signals, from its own arrival.
  return MayWait() && BeginNow(AskForWaiting());
}

}  // namespace

void SetRole(int signum, bool begins_it, bool ends_it) {
  Set(&begins, signum, begins_it);
  Set(&ends, signum, ends_it);
}

void SetLimit(int64_t limit) { limit_of_signals_ns.store(limit); }

void Begin(int64_t limit) {
  const int64_t now_ns = SteadyNanoseconds();
  is_seen.store(true);
  if (!HasBegun()) {
    limit_ns.store(limit);
    if (BeginNow(now_ns)) return;
    // A signal was faster.
    limit_ns.store(0);
  }
  const int64_t begun = begun_ns.load();
  if (begun != kCondemned && now_ns + limit < begun + Limit())
    limit_ns.store(now_ns + limit - begun);
}

bool Finish() {
  is_seen.store(false);
  const bool begins_again = Reset();
  if (begun_ns.load() == kCondemned) end::Wait();
  return begins_again;
}

bool FinishUnlessSeen() { return !is_seen.load() && !MayWait() && Reset(); }

void SetRunning(const Running& running) {
  running_since_ns.store(SteadyNanoseconds());
  running_text.Write(running, 1);
}

Arriving::Arriving() noexcept { arriving.fetch_add(1); }
Arriving::~Arriving() { arriving.fetch_sub(1); }

bool NoteArrival(const Arrival& arrival) noexcept {
  const bool may_begin = Has(begins, arrival.signum);
  const bool may_end = Has(ends, arrival.signum);
  if (!may_begin && !(may_end && HasBegun())) return false;
  if (may_end && IsImpatient(RequestOf(arrival))) {
    int nobody = 0;
    return ended_by.compare_exchange_strong(nobody, arrival.signum);
  }
  if (!may_begin) return false;
  Ask(RequestOf(arrival));
  return BeginNow(arrival.steady_ns);
}

bool HasBegun() noexcept { return begun_ns.load() != kNever; }

State Look() noexcept {
  State state;
  state.begun_ns = begun_ns.load();
  state.limit_ns = Limit();
  state.ended_by = ended_by.load();
  return state;
}

bool Condemn() noexcept {
  int64_t begun = begun_ns.load();
  while (begun != kNever) {
    if (begun_ns.compare_exchange_weak(begun, kCondemned)) return true;
  }
  return false;
}

Progress LookAtProgress() noexcept {
  Progress progress;
  progress.is_seen = is_seen.load();
  progress.since_ns = running_since_ns.load();
  running_text.Read(progress.running, 1);
  return progress;
}

}  // namespace daemoniker::shutdown
