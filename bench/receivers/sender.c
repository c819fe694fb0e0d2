// As many signals as asked for, as fast as one process can: sender PID COUNT.
#include <signal.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  const pid_t pid = (pid_t)atol(argv[1]);
  for (long left = atol(argv[2]); left > 0; --left) {
    if (kill(pid, SIGTERM) != 0) return 1;
  }
  return 0;
}
