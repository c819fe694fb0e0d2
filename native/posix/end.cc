#include "end.h"

#include <dlfcn.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>

namespace daemoniker::end {
namespace {

using TtyReset = int (*)();
std::atomic<TtyReset> tty_reset{nullptr};

// Their default action stops the process, until SIGCONT (signal(7)).
bool Stops(int signum) { return signum == SIGTSTP || signum == SIGTTIN || signum == SIGTTOU; }

}  // namespace

void BySignal(int signum) noexcept {
  if (Stops(signum)) WithStatus(128 + signum);
  struct sigaction standard = {};
  standard.sa_handler = SIG_DFL;
  sigaction(signum, &standard, nullptr);
  sigset_t only_this;
  sigemptyset(&only_this);
  sigaddset(&only_this, signum);
  pthread_sigmask(SIG_UNBLOCK, &only_this, nullptr);
  raise(signum);
  // pid_namespaces(7): PID 1 of a container does not take default actions. Those of SIGURG,
  // SIGWINCH and SIGCONT do not terminate a process.
  WithStatus(128 + signum);
}

void WithStatus(int status) noexcept { _exit(status); }

bool CanDieBySignal() { return getpid() != 1; }

// uv_tty_reset_mode() knows the settings from before the raw mode, whenever that began; libuv
// documents it as async-signal-safe. Looked up because no symbol of libuv is linked.
void PrepareTerminalReset() {
  tty_reset.store(reinterpret_cast<TtyReset>(dlsym(RTLD_DEFAULT, "uv_tty_reset_mode")));
}

void ResetTerminal() noexcept {
  const TtyReset reset = tty_reset.load();
  if (reset == nullptr) return;
  // Whoever changes the terminal's settings in the background is stopped by SIGTTOU, unless it is
  // blocked (tcsetattr(3)).
  sigset_t background;
  sigemptyset(&background);
  sigaddset(&background, SIGTTOU);
  pthread_sigmask(SIG_BLOCK, &background, nullptr);
  reset();
}

}  // namespace daemoniker::end
