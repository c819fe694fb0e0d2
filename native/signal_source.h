// What a platform must provide: where signals come from.
//
//   native/posix/signal_source.cc   sigaction(2)
//   native/win32/signal_source.cc   console control events, the session's end, the signal pipe
//
// Every arrival goes to RecordArrival() (dispatcher.h). All functions but that are called on the
// main thread, or by atexit. Errors are libuv's numbers (negative, as in util.getSystemErrorName).
#pragma once

#include <cstdint>
#include <vector>

namespace daemoniker {

// What a signal does once nobody handles it any more.
struct RestorePlan {
  int signum;
  // Somebody else in this process listens with process.on(): the runtime's own handler goes back.
  bool runtime_listens;
};

namespace signal_source {

// Taking over happens in two steps, because between them JavaScript adds the listener that keeps
// the runtime from touching the disposition (lib/registry.ts, "pin").
void Save(const std::vector<int>& signums);
int Install(const std::vector<int>& signums);
// Instead of Install(), when that listener could not be added, or after it, when others could not.
void Abandon(const std::vector<int>& signums);

// The handlers do nothing about this signal, so whoever could be made to wait for them (Windows,
// when the console or the session ends) need not.
void SetIgnored(int signum, bool ignored);

// Giving back as well: the plan is made while our handler can still be told from a foreign one;
// then JavaScript removes its listeners; then Restore() puts the dispositions in place. After it
// has returned, no arrival is recorded any more.
void PlanRestore(const std::vector<RestorePlan>& plan);
void Restore();

// Gives back whatever is still taken when the environment ends: JavaScript has removed no
// listeners. Touches no Node-API.
void RestoreWithoutPlan();
// The same for atexit, wherever the process was when exit(3) was called: waits for nobody for long.
void RestoreAtExit();

// Ends this process by the signal's default action, so that its parent sees the truth. Where that
// has no effect (PID 1 of a Linux container) and on Windows: exit status 128 + signum, without
// running atexit handlers.
[[noreturn]] void DieBySignal(int signum);

// True when DieBySignal() would really die by the signal and not by an exit status.
bool CanDieBySignal();

}  // namespace signal_source
}  // namespace daemoniker
