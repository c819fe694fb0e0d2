// The last of three layers that clean up (the others: JavaScript's 'exit' event and the
// environment's cleanup hook). It is the only one that runs whenever exit(3) does.
#pragma once

namespace daemoniker {

// Idempotent.
void InstallAtExit();

// Ends the process by this signal once exit(3) has done everything else (Unix). 0: no longer.
void DieAtExit(int signum);

// What a platform must provide: `clean_up` runs at exit(3), `last` after all that others have
// registered there, Node's reset of the terminal among it.
//
//   native/linux/at_exit.cc    quick_exit(3) as well, which is how Bun ends
//   native/darwin/at_exit.cc
//   native/win32/at_exit.cc
void RegisterAtExit(void (*clean_up)(), void (*last)());

}  // namespace daemoniker
