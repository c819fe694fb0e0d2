// Of macOS' header of this name, what native/darwin/siginfo.cc uses, for a build on Linux.
#pragma once

#include <sys/proc_info.h>

int proc_pidinfo(int pid, int flavor, uint64_t argument, void* buffer, int size);
