#include "at_exit.h"

#include <dlfcn.h>

#include <cstdlib>

namespace daemoniker::end {

// In reverse: the one that was registered last runs first. There is nothing here that would run
// after what was registered before this library was loaded; Node's reset of the terminal was.
void RegisterAtExit(void (*clean_up)(), void (*last)()) {
  // Node unloads the addons of a worker thread when that ends, which runs what is registered here.
  // dyld has no link-time flag against it.
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&RegisterAtExit), &self) != 0) {
    dlopen(self.dli_fname, RTLD_NOW | RTLD_NODELETE);
  }
  std::atexit(last);
  std::atexit(clean_up);
}

}  // namespace daemoniker::end
