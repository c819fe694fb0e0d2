// What a platform must provide: the JavaScript stack of a main thread that is stuck in JavaScript,
// asked for by another thread.
//
//   native/posix/stuck_stack.cc   where the runtime is V8 and exports its C++ API
//   native/win32/stuck_stack.cc   never
#pragma once

#include <node_api.h>

namespace daemoniker::stuck_stack {

// On the main thread, before anybody asks; until the environment ends. Whether the runtime is one
// that can be asked.
bool Prepare(napi_env env);

// Any thread, once in a process. Returns at once.
void Ask();
// Whether there is anybody to wait for.
bool WasAsked();
// Whether Text() may be read.
bool IsKnown();
// One line for each frame, like Error.prototype.stack.
const char* Text();

}  // namespace daemoniker::stuck_stack
