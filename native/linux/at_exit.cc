#include "at_exit.h"

#include <cstdlib>

namespace daemoniker::end {
namespace {

void (*run_last)() = nullptr;

// Destructors run after the functions that were registered with atexit(3), whenever that was.
__attribute__((destructor)) void LastOfAll() {
  if (run_last != nullptr) run_last();
}

}  // namespace

void RegisterAtExit(void (*clean_up)(), void (*last)()) {
  run_last = last;
  std::atexit(clean_up);
  // In reverse: the one that was registered last runs first.
  at_quick_exit(last);
  at_quick_exit(clean_up);
}

}  // namespace daemoniker::end
