// GetThreadTimes() tells how much CPU time the thread has used, but not whether it has used none
// because it sleeps or because it got no CPU. So all time counts; see docs/deadlines.md.
#include "main_thread.h"

namespace daemoniker::main_thread {

void Remember() {}

Look LookAtIt() { return {}; }

int64_t WaitedForCpu() { return -1; }

}  // namespace daemoniker::main_thread
