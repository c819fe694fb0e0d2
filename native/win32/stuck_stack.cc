// Left out: see docs/deadlines.md. The Microsoft C++ ABI returns a v8::Local through a hidden
// pointer, and whether it does depends on how the class is written, which its name does not tell.
#include "stuck_stack.h"

namespace daemoniker::stuck_stack {

bool Prepare(napi_env) { return false; }
void Ask() {}
bool WasAsked() { return false; }
bool IsKnown() { return false; }
const char* Text() { return ""; }

}  // namespace daemoniker::stuck_stack
