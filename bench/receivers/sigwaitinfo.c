/* The floor: a thread that does nothing but wait for the signal. */
#include <signal.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

static void report(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t nanoseconds = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
  if (write(1, &nanoseconds, sizeof nanoseconds) != sizeof nanoseconds) _exit(1);
}

int main(void) {
  sigset_t set;
  siginfo_t info;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  report(); /* ready */
  while (sigwaitinfo(&set, &info) == SIGTERM) report();
  return 0;
}
