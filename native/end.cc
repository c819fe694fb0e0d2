#include "end.h"

#include <atomic>
#include <cstdint>

#include "other_process.h"
#include "wakeup.h"

namespace daemoniker::end {
namespace {

std::atomic<int64_t> own_pid{0};
std::atomic<int> die_by{0};
void (*run_clean_up)() = nullptr;

void CleanUp() {
  if (InOwnProcess()) run_clean_up();
}

void DieIfAsked() {
  const int signum = die_by.load();
  if (signum == 0 || !InOwnProcess() || !CanDieBySignal()) return;
  // Where it runs before the runtime's own reset (macOS).
  ResetTerminal();
  BySignal(signum);
}

}  // namespace

void Install(void (*clean_up)()) {
  if (own_pid.exchange(process::Current()) != 0) return;
  run_clean_up = clean_up;
  RegisterAtExit(CleanUp, DieIfAsked);
}

bool InOwnProcess() noexcept { return own_pid.load() == process::Current(); }

void DieAtExit(int signum) { die_by.store(signum); }

void Wait() {
  Wakeup never;
  never.Open();
  for (;;) never.Wait(-1);
}

}  // namespace daemoniker::end
