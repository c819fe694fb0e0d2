#include "at_exit.h"

#include <atomic>

#include "dispatcher.h"
#include "exit_watch.h"
#include "other_process.h"
#include "pid_file_claims.h"
#include "signal_source.h"

namespace daemoniker {
namespace {

std::atomic<int64_t> owner{0};
std::atomic<int> die_by{0};

// A child that was forked without exec(3) and calls exit(3) has no part in what its parent holds.
bool IsOwner() { return owner.load() == process::Current(); }

void AtExit() {
  if (!IsOwner()) return;
  Dispatcher::Instance().LeaveJavaScriptAlone();
  ExitWatch::LeaveJavaScriptAlone();
  // Before the signals: whoever can read the PID may signal it.
  PidFileClaims::Instance().ReleaseAll();
  signal_source::RestoreAtExit();
}

void DieIfAsked() {
  const int signum = die_by.load();
  if (signum != 0 && IsOwner() && signal_source::CanDieBySignal()) {
    signal_source::DieBySignal(signum);
  }
}

}  // namespace

void InstallAtExit() {
  if (owner.exchange(process::Current()) == 0) RegisterAtExit(AtExit, DieIfAsked);
}

void DieAtExit(int signum) { die_by.store(signum); }

}  // namespace daemoniker
