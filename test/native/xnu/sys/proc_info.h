// Of macOS' header of this name, what native/darwin/siginfo.cc uses, for a build on Linux.
#pragma once

#include <cstdint>

#define PROC_PIDT_SHORTBSDINFO 13

struct proc_bsdshortinfo {
  char pbsi_comm[16];
};
