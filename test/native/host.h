// A host without JavaScript: as much of Node-API as the dispatcher and the exit watches use, so
// that they run under ThreadSanitizer, whose reports about a real Node would be about Node.
#pragma once

#include <napi.h>

#include <functional>
#include <vector>

namespace host {

napi_env Env();

// A "JavaScript function" for the addon, which is given numbers. It must outlive all calls.
using Function = std::function<void(const std::vector<double>&)>;
Napi::Function ToFunction(Function* body);

// One turn of the event loop: waits up to that long for calls of thread-safe functions, makes them,
// and frees the functions that were aborted, so that a later use of one is a use after free.
void Turn(int milliseconds);

// What happens when the environment ends: its hooks, the last one first.
void RunCleanupHooks();

}  // namespace host
