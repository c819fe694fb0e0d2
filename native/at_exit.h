// What a platform must provide for native/end.cc.
//
//   native/linux/at_exit.cc    quick_exit(3) as well, which is how Bun ends
//   native/darwin/at_exit.cc
//   native/win32/end.cc
#pragma once

namespace daemoniker::end {

// `clean_up` runs at exit(3), `last` after all that others have registered there, Node's reset of
// the terminal among it.
void RegisterAtExit(void (*clean_up)(), void (*last)());

// True when BySignal() would really die by the signal and not by an exit status.
bool CanDieBySignal();

}  // namespace daemoniker::end
