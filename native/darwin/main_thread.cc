#include "main_thread.h"

#include <mach/mach.h>
#include <pthread.h>

#include <atomic>

namespace daemoniker::main_thread {
namespace {

std::atomic<mach_port_t> thread{MACH_PORT_NULL};

int64_t Nanoseconds(const time_value_t& time) {
  return static_cast<int64_t>(time.seconds) * 1000000000 +
         static_cast<int64_t>(time.microseconds) * 1000;
}

}  // namespace

void Remember() { thread.store(pthread_mach_thread_np(pthread_self())); }

// thread_info() exchanges messages with the kernel, on a port that belongs to the thread that asks
// and is made when it first does (XNU, libsyscall/mach/mig_reply_port.c).
Look LookAtIt() {
  Look look;
  thread_basic_info_data_t info;
  mach_msg_type_number_t count = THREAD_BASIC_INFO_COUNT;
  if (thread.load() == MACH_PORT_NULL ||
      thread_info(thread.load(), THREAD_BASIC_INFO, reinterpret_cast<thread_info_t>(&info),
                  &count) != KERN_SUCCESS) {
    return look;
  }
  switch (info.run_state) {
    case TH_STATE_RUNNING:
      look.state = State::kRunnable;
      break;
    case TH_STATE_STOPPED:
    case TH_STATE_HALTED:
      look.state = State::kStopped;
      break;
    default:
      look.state = State::kSleeping;
  }
  look.cpu_ns = Nanoseconds(info.user_time) + Nanoseconds(info.system_time);
  return look;
}

int64_t WaitedForCpu() { return -1; }

}  // namespace daemoniker::main_thread
