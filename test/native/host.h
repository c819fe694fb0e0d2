// A host without JavaScript: as much of Node-API as the messenger and the waits for other processes
// use, so that they run under ThreadSanitizer, whose reports about a real Node would be about Node.
#pragma once

#include <napi.h>

#include <functional>
#include <string>
#include <vector>

namespace host {

// An environment; there are two of them, on one thread.
napi_env Env(int number = 0);

// What a "JavaScript function" is given and returns.
struct Value {
  enum Kind { kUndefined, kNull, kNumber, kText };
  Kind kind = kUndefined;
  double number = 0;
  std::string text;
};

// It must outlive all calls.
using Function = std::function<Value(const std::vector<Value>&)>;
Napi::Function ToFunction(Function* body, int env = 0);

// One turn of the event loop: waits up to that long for calls of thread-safe functions, makes them,
// and frees the functions that were aborted, so that a later use of one is a use after free.
void Turn(int milliseconds);

// What happens when an environment ends: its hooks, the last one first.
void RunCleanupHooks(int env = 0);

}  // namespace host
