#include "obituary.h"

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "clock.h"
#include "dispatcher.h"
#include "last_words.h"
#include "signal_names.h"
#include "stuck_stack.h"
#include "thread.h"

namespace daemoniker {
namespace {

constexpr int64_t kMillisecond = 1000 * 1000;
constexpr int64_t kPatience = 10 * kMillisecond;
constexpr int64_t kPatienceForTheStack = 8 * kMillisecond;
// For the one line, on a machine that is so busy; or stderr is a file whose disk hangs.
constexpr int64_t kPatienceForTheLine = 100 * kMillisecond;

// Static and trivial, because nobody joins the thread that works with it.
struct {
  int signum;
  bool is_unhandled;
  UnhandledSignal unhandled;
  int64_t limit_ns;
  std::atomic<bool> line_said;
  std::atomic<bool> all_said;
} obituary;

long long Milliseconds(int64_t nanoseconds) {
  return static_cast<long long>(nanoseconds / kMillisecond);
}

std::string Sender() {
  const Arrival& arrival = obituary.unhandled.arrival;
  if (arrival.sender_pid <= 0) return {};
  const std::string pid = " from pid " + std::to_string(arrival.sender_pid);
  const std::string command = Dispatcher::Instance().SenderCommand(
      obituary.unhandled.sequence, arrival.sender_pid, arrival.wall_us);
  return command.empty() ? pid : pid + " (" + command + ")";
}

void SayWhatHappened() {
  char line[256];
  if (obituary.is_unhandled) {
    std::snprintf(line, sizeof line,
                  "daemoniker: %s%.120s was not handled within its deadline: the event loop has "
                  "been blocked for %lld ms; ending the process\n",
                  SignalName(obituary.signum), Sender().c_str(),
                  Milliseconds(obituary.unhandled.blocked_ns));
  } else {
    std::snprintf(line, sizeof line,
                  "daemoniker: the process did not exit within %lld ms; ending it by %s\n",
                  Milliseconds(obituary.limit_ns), SignalName(obituary.signum));
  }
  LastWords(line);
  obituary.line_said.store(true);
}

void SayWhereItIsStuck() {
  const int64_t give_up_ns = SteadyNanoseconds() + kPatienceForTheStack;
  stuck_stack::Ask();
  while (!stuck_stack::IsKnown() && stuck_stack::WasAsked() && SteadyNanoseconds() < give_up_ns) {
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  if (stuck_stack::IsKnown()) LastWords(stuck_stack::Text());
}

void SayEverything(void*) {
  SayWhatHappened();
  SayWhereItIsStuck();
  obituary.all_said.store(true);
}

void Say() {
  const int64_t begun_ns = SteadyNanoseconds();
  Thread thread;
  if (thread.Start(SayEverything, nullptr) != 0) return SayWhatHappened();
  while (!obituary.all_said.load()) {
    const int64_t patience = obituary.line_said.load() ? kPatience : kPatienceForTheLine;
    if (SteadyNanoseconds() - begun_ns >= patience) return;
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
}

}  // namespace

void SayObituary(const UnhandledSignal& unhandled) {
  obituary.signum = unhandled.arrival.signum;
  obituary.is_unhandled = true;
  obituary.unhandled = unhandled;
  Say();
}

void SayObituary(int signum, int64_t limit_ns) {
  obituary.signum = signum;
  obituary.limit_ns = limit_ns;
  Say();
}

}  // namespace daemoniker
