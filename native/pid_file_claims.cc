#include "pid_file_claims.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "clock.h"
#include "no_destroy.h"

namespace daemoniker {
namespace {

// Made when the addon is loaded, and not at its first use, for which threads would wait for one
// another.
NoDestroy<PidFileClaims> instance;

// For a thread that is between Open() and Confirm(). It calls JavaScript there, which may even wait
// for the thread that waits here.
constexpr int64_t kPatience = 10'000 * kMillisecond;

}  // namespace

PidFileClaims& PidFileClaims::Instance() { return *instance; }

PidFileClaims::Opened PidFileClaims::Open(const std::string& path, const void* opener) {
  const int64_t end = SteadyNanoseconds() + kPatience;
  for (;;) {
    int awaited = 0;
    Opened opened = OpenOnce(path, opener, &awaited);
    if (awaited == 0) return opened;
    for (;;) {
      // No condition variable: its timed wait needs a newer C library than we may ask for.
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      const std::lock_guard<std::mutex> lock(mutex_);
      Claim* other = FindOrNull(awaited);
      if (other == nullptr) break;  // it has given up: begin again
      if (other->confirmed) {
        opened.claim = awaited;
        opened.shared = true;
        return opened;
      }
      if (SteadyNanoseconds() < end) continue;
      --other->waiting;
      opened.pending = true;
      return opened;
    }
  }
}

// `awaited` becomes the number of the claim for which the caller has to wait.
PidFileClaims::Opened PidFileClaims::OpenOnce(const std::string& path, const void* opener,
                                              int* awaited) {
  Opened opened;
  auto claim = std::make_unique<Claim>();
  const std::lock_guard<std::mutex> opening(opening_);
  opened.error = claim->handle.Open(path, &opened.created);
  if (opened.error != 0) return opened;
  FileReport report;
  opened.error = claim->handle.Report(&report);
  if (opened.error != 0) return opened;
  claim->path = path;
  claim->id = report.id;
  claim->opener = opener;
  claim->created = opened.created;
  opened.writable = claim->handle.IsWritable();

  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& other : claims_) {
    if (!(other->id == claim->id)) continue;
    if (other->confirmed) {
      ++other->users;
      opened.claim = other->number;
      opened.shared = true;
    } else if (other->opener == opener) {
      opened.pending = true;
    } else {
      ++other->waiting;
      *awaited = other->number;
    }
    return opened;
  }
  claim->number = ++last_number_;
  opened.claim = claim->number;
  claims_.push_back(std::move(claim));
  return opened;
}

LockState PidFileClaims::TryLock(int claim) {
  std::lock_guard<std::mutex> lock(mutex_);
  Claim& found = Find(claim);
  if (&found == &closed_) return LockState::kHeld;
  const LockState state = found.handle.TryLock();
  found.locked = state == LockState::kFree;
  found.obstructed = state == LockState::kObstructed;
  return state;
}

int PidFileClaims::Report(int claim, FileReport* report) {
  std::lock_guard<std::mutex> lock(mutex_);
  return Find(claim).handle.Report(report);
}

int PidFileClaims::Publish(int claim, const std::string& content, const std::string& mark,
                           bool* won, const char** failed_call) {
  const std::lock_guard<std::mutex> opening(opening_);
  std::lock_guard<std::mutex> lock(mutex_);
  Claim& found = Find(claim);
  *won = true;
  *failed_call = "write";
  // One that was created just now needs no other in its place, unless somebody else was faster to
  // lock it: without the lock nobody would know who was first.
  if (!found.created || found.obstructed) {
    Replaced replaced;
    const int error = found.handle.Replace(found.path, content, mark, &replaced);
    *won = replaced.result != Replacement::kLost;
    if (error != 0 || !*won) return error;
    if (replaced.result == Replacement::kDone) {
      found.locked = replaced.lock == LockState::kFree;
      found.obstructed = false;
      FileReport report;
      if (found.handle.Report(&report) == 0) found.id = report.id;
      return 0;
    }
    // In place, then, under the lock.
    const bool can_write = found.handle.IsWritable() && !found.obstructed;
    *failed_call = "open";
    if (!can_write && replaced.open_error != 0) return replaced.open_error;
    if (found.handle.write_error() != 0) return found.handle.write_error();
    *failed_call = "lock";
    if (found.obstructed) return -EAGAIN;
    *failed_call = "write";
  }
  return found.handle.Write(found.locked ? content + mark : content);
}

bool PidFileClaims::IsCurrent(int claim) {
  std::lock_guard<std::mutex> lock(mutex_);
  Claim& found = Find(claim);
  return found.handle.IsStillAt(found.path);
}

void PidFileClaims::Confirm(int claim, bool remove_at_end) {
  std::lock_guard<std::mutex> lock(mutex_);
  Claim& found = Find(claim);
  if (&found == &closed_) return;
  found.confirmed = true;
  found.remove_at_end = remove_at_end;
  found.users += found.waiting;
  found.waiting = 0;
}

void PidFileClaims::Release(int claim, bool remove_now) {
  const std::lock_guard<std::mutex> opening(opening_);
  std::lock_guard<std::mutex> lock(mutex_);
  Claim& found = Find(claim);
  if (&found == &closed_ || --found.users > 0) return;
  // While it is locked: whoever waits for the name finds it gone and begins again.
  if (found.remove_at_end || remove_now) found.handle.Remove(found.path);
  claims_.erase(std::find_if(claims_.begin(), claims_.end(),
                             [&](const auto& other) { return other.get() == &found; }));
}

void PidFileClaims::ReleaseUnconfirmed(const void* opener) {
  const std::lock_guard<std::mutex> opening(opening_);
  std::lock_guard<std::mutex> lock(mutex_);
  const auto is_left = [&](const auto& claim) {
    return !claim->confirmed && claim->opener == opener;
  };
  for (const auto& claim : claims_) {
    // Without the lock it may be somebody else's by now, even if it was created here.
    if (is_left(claim) && claim->created && claim->locked) claim->handle.Remove(claim->path);
  }
  claims_.erase(std::remove_if(claims_.begin(), claims_.end(), is_left), claims_.end());
}

void PidFileClaims::ReleaseAll() {
  // Another thread may hold the mutex for ever, because exit() may have been called anywhere.
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  for (const auto& claim : claims_) {
    if (claim->remove_at_end) claim->handle.Remove(claim->path);
  }
  claims_.clear();
}

void PidFileClaims::ForgetInChild() {
  // The thread that holds the mutex is not there in the child.
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  for (const auto& claim : claims_) claim->handle.Forget();
}

void PidFileClaims::RemoveAtOnce() {
  const std::unique_lock<std::mutex> lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock()) return;
  for (const auto& claim : claims_) {
    if (claim->remove_at_end) claim->handle.Remove(claim->path);
  }
}

PidFileClaims::Claim& PidFileClaims::Find(int number) {
  Claim* found = FindOrNull(number);
  return found == nullptr ? closed_ : *found;
}

PidFileClaims::Claim* PidFileClaims::FindOrNull(int number) {
  for (const auto& claim : claims_) {
    if (claim->number == number) return claim.get();
  }
  return nullptr;
}

}  // namespace daemoniker
