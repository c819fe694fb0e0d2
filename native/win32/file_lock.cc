#include "win32/file_lock.h"

#include "win32/file_time.h"

namespace daemoniker {
namespace {

// Offsets are signed 64-bit numbers in the kernel.
constexpr uint64_t kHolderRange = uint64_t{1} << 62;
constexpr uint64_t kHolderRangeLength = uint64_t{1} << 62;
constexpr uint64_t kFirstByte = kHolderRange - 1;

// Somebody who asks holds its lock for microseconds.
constexpr int kAttempts = 200;

// Start times count 100 ns and need 57 bits until the year 2057; PIDs tell apart what was started
// within one tick of the clock.
uint64_t HolderByte(int64_t pid, int64_t started_at) {
  const uint64_t place = (static_cast<uint64_t>(started_at) << 5) ^ static_cast<uint64_t>(pid);
  return kHolderRange + place % kHolderRangeLength;
}

bool Lock(HANDLE file, DWORD flags, uint64_t offset, uint64_t length) {
  OVERLAPPED where = {};
  where.Offset = static_cast<DWORD>(offset);
  where.OffsetHigh = static_cast<DWORD>(offset >> 32);
  return LockFileEx(file, flags | LOCKFILE_FAIL_IMMEDIATELY, 0, static_cast<DWORD>(length),
                    static_cast<DWORD>(length >> 32), &where) != FALSE;
}

void Unlock(HANDLE file, uint64_t offset, uint64_t length) {
  OVERLAPPED where = {};
  where.Offset = static_cast<DWORD>(offset);
  where.OffsetHigh = static_cast<DWORD>(offset >> 32);
  UnlockFileEx(file, 0, static_cast<DWORD>(length), static_cast<DWORD>(length >> 32), &where);
}

LockState Failure() {
  return GetLastError() == ERROR_LOCK_VIOLATION ? LockState::kHeld : LockState::kUnsupported;
}

LockState Test(HANDLE file, uint64_t offset, uint64_t length) {
  if (!Lock(file, 0, offset, length)) return Failure();
  Unlock(file, offset, length);
  return LockState::kFree;
}

}  // namespace

LockState LockPidFile(HANDLE file) {
  if (!Lock(file, LOCKFILE_EXCLUSIVE_LOCK, kFirstByte, 1)) {
    if (Failure() != LockState::kHeld) return Failure();
    // Whoever may read the file can lock its bytes.
    const LockState state = TestPidFileLock(file);
    return state == LockState::kFree ? LockState::kObstructed : state;
  }
  FILETIME started;
  FILETIME unused;
  GetProcessTimes(GetCurrentProcess(), &started, &unused, &unused, &unused);
  const uint64_t holder_byte = HolderByte(GetCurrentProcessId(), Ticks(started));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (Lock(file, LOCKFILE_EXCLUSIVE_LOCK, holder_byte, 1)) return LockState::kFree;
    Sleep(1);
  }
  const LockState failure = Failure();
  Unlock(file, kFirstByte, 1);
  return failure;
}

bool BlockHolders(HANDLE file) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (Lock(file, LOCKFILE_EXCLUSIVE_LOCK, kHolderRange, kHolderRangeLength - 1)) return true;
    if (TestPidFileLock(file) != LockState::kFree) return false;
    Sleep(1);
  }
  return false;
}

void UnblockHolders(HANDLE file) { Unlock(file, kHolderRange, kHolderRangeLength - 1); }

LockState TestPidFileLock(HANDLE file) { return Test(file, kHolderRange, kHolderRangeLength - 1); }

Holds TestHolder(HANDLE file, int64_t pid, int64_t started_at) {
  constexpr int kLooks = 20;
  const uint64_t holder_byte = HolderByte(pid, started_at);
  for (int look = 1;; ++look) {
    const LockState state = Test(file, holder_byte, 1);
    if (state == LockState::kFree) return Holds::kNo;
    // A holder has one byte. Who has its neighbour as well has locked them all, and would be every
    // process: for a moment if it is BlockHolders().
    const bool is_single = Test(file, holder_byte ^ 1, 1) == LockState::kFree;
    if (state == LockState::kHeld && is_single) return Holds::kYes;
    if (state != LockState::kHeld || look == kLooks) return Holds::kUnknown;
    Sleep(1);
  }
}

}  // namespace daemoniker
