#include "main_thread.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "linux/proc.h"

namespace daemoniker::main_thread {
namespace {

std::atomic<int64_t> thread_id{0};
std::atomic<clockid_t> cpu_clock{0};

// proc(5), /proc/pid/stat: "tid (comm) state ...", where comm may contain anything.
State StateOf(const char* stat) {
  const char* after_comm = std::strrchr(stat, ')');
  if (after_comm == nullptr || after_comm[1] != ' ') return State::kUnknown;
  switch (after_comm[2]) {
    case 'R':
      return State::kRunnable;
    case 'T':
    case 't':
      return State::kStopped;
    default:
      return State::kSleeping;
  }
}

}  // namespace

void Remember() {
  clockid_t clock;
  if (pthread_getcpuclockid(pthread_self(), &clock) != 0) return;
  cpu_clock.store(clock);
  thread_id.store(syscall(SYS_gettid));
}

Look LookAtIt() {
  Look look;
  struct timespec used;
  char stat[512];
  if (thread_id.load() == 0 || clock_gettime(cpu_clock.load(), &used) != 0 ||
      !proc::Read(proc::Path("/proc/self/task/", thread_id.load(), "/stat").text, stat,
                  sizeof stat)) {
    return look;
  }
  look.state = StateOf(stat);
  look.cpu_ns = static_cast<int64_t>(used.tv_sec) * 1000000000 + used.tv_nsec;
  return look;
}

// "time on a CPU, time waiting for one, time slices" (Documentation/scheduler/sched-stats.rst). The
// second is brought up to date when the thread gets its CPU, so a thread can trust only its own.
int64_t WaitedForCpu() {
  char schedstat[96];
  if (!proc::Read("/proc/thread-self/schedstat", schedstat, sizeof schedstat)) return -1;
  const char* rest;
  proc::Number(schedstat, &rest);
  return *rest == ' ' ? proc::Number(rest + 1) : -1;
}

}  // namespace daemoniker::main_thread
