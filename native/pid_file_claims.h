// The PID files that this process holds, whichever of its threads or handlers asked for them.
//
// In native code because they are shared between worker threads and because atexit must be able to
// remove them when no JavaScript runs any more. A claim is used through a small number that
// JavaScript keeps.
//
// There is one claim for one file, whatever the number of threads that want it: who comes second
// shares it, or waits until the first has decided. So a lock that the system denies is never one of
// this process (unless it has two copies of this addon).
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "pid_file.h"

namespace daemoniker {

class PidFileClaims {
 public:
  static PidFileClaims& Instance();

  struct Opened {
    int error = 0;          // 0, or a libuv error number
    int claim = 0;          // number of the claim, from 1
    bool created = false;   // the file was missing
    bool writable = false;  // this process may write it
    bool shared = false;    // this process holds it already: nothing more to do than Release()
    // This process is about to hold it: the caller itself, or a thread that took too long.
    bool pending = false;
  };
  // `opener` is whoever may end before Confirm(): see ReleaseUnconfirmed(). Waits for another
  // thread of this process that is just claiming the same file, for ten seconds at most.
  Opened Open(const std::string& path, const void* opener);

  LockState TryLock(int claim);
  int Report(int claim, FileReport* report);
  // Puts the content into a new file, or into the one that was opened if that was created just now
  // and is locked, or where the directory takes no new one. `mark` is added if the lock is held.
  // False in `won` when another one has taken the file over meanwhile. 0, or a libuv error number
  // with the system call.
  int Publish(int claim, const std::string& content, const std::string& mark, bool* won,
              const char** failed_call);
  bool IsCurrent(int claim);
  // From now on Open() shares it, and its end removes the file if `remove_at_end`.
  void Confirm(int claim, bool remove_at_end);
  // Removes the file at the last release if Confirm() said so; `remove_now` overrides that, for a
  // claim that was never confirmed.
  void Release(int claim, bool remove_now);

  // What this opener opened and has not confirmed: a worker that was terminated in between.
  void ReleaseUnconfirmed(const void* opener);

  // For atexit: releases everything.
  void ReleaseAll();
  // In a child that was forked without exec(3), which has closed the files: they are its parent's.
  void ForgetInChild();
  // For the end by a limit, on another thread: deletes the files and frees nothing. Unless a thread
  // is just changing the claims: that one may be stuck.
  void RemoveAtOnce();

 private:
  struct Claim {
    int number = 0;
    std::string path;
    FileId id;
    PidFileHandle handle;
    const void* opener = nullptr;
    bool created = false;
    bool locked = false;
    bool obstructed = false;
    int users = 1;
    int waiting = 0;  // threads that are users once it is confirmed
    bool confirmed = false;
    bool remove_at_end = false;
  };

  // One that is not there any more, because ReleaseAll() was faster than a thread that still runs
  // JavaScript, is a closed one: all that is done to it fails.
  Claim& Find(int number);
  // The same; null instead.
  Claim* FindOrNull(int number);
  Opened OpenOnce(const std::string& path, const void* opener, int* awaited);

  // Held while a file of a claim appears, changes its place or goes, so that no other thread can
  // open it in between; taken before `mutex_`. Not held by ReleaseAll() and RemoveAtOnce(), for
  // which opening a file could take too long.
  std::mutex opening_;
  std::mutex mutex_;
  Claim closed_;
  std::vector<std::unique_ptr<Claim>> claims_;
  int last_number_ = 0;
};

}  // namespace daemoniker
