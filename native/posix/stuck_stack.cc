// V8 can interrupt JavaScript that runs: v8::Isolate::RequestInterrupt(), whose callback then runs
// on the main thread, at a point where V8 could also collect garbage. Its documentation forbids the
// callback to run JavaScript, so `new Error().stack` is out (it may call Error.prepareStackTrace);
// v8::StackTrace only reads the frames.
//
// No V8 symbol is linked: the addon loads everywhere. They are looked up by their mangled names,
// which spell out the parameters, so a function whose parameters have changed is not found (Itanium
// C++ ABI, 5.1); and only if all of them are there is any of them used. Bun has some, Deno none. A
// v8::Local is one pointer, passed in a register like any trivially copyable class of that size
// (3.1.2), and is the same pointer as a napi_value (asserted in Node's src/js_native_api_v8.h).
#include "stuck_stack.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdio>
#include <mutex>

#include "no_destroy.h"

namespace daemoniker::stuck_stack {
namespace {

using Isolate = void;
using Local = void*;

struct Location {
  int line;  // from 0, as the column
  int column;
};

// v8::StackTrace::StackTraceOptions, kDetailed
constexpr int kDetailed = 127;
constexpr int kMostFrames = 10;

struct V8 {
  Isolate* (*get_current)();
  void (*request_interrupt)(Isolate*, void (*)(Isolate*, void*), void*);
  Local (*current_stack_trace)(Isolate*, int, int);
  int (*get_frame_count)(Local);
  Local (*get_frame)(Local, Isolate*, unsigned);
  Location (*get_location)(Local);
  Local (*get_script_name)(Local);
  Local (*get_function_name)(Local);
};

template <typename Function>
bool LookUp(const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  return *function != nullptr;
}

bool LookUpAll(V8* v8) {
  return LookUp("_ZN2v87Isolate10GetCurrentEv", &v8->get_current) &&
         LookUp("_ZN2v87Isolate16RequestInterruptEPFvPS0_PvES2_", &v8->request_interrupt) &&
         LookUp("_ZN2v810StackTrace17CurrentStackTraceEPNS_7IsolateEiNS0_17StackTraceOptionsE",
                &v8->current_stack_trace) &&
         LookUp("_ZNK2v810StackTrace13GetFrameCountEv", &v8->get_frame_count) &&
         LookUp("_ZNK2v810StackTrace8GetFrameEPNS_7IsolateEj", &v8->get_frame) &&
         LookUp("_ZNK2v810StackFrame11GetLocationEv", &v8->get_location) &&
         LookUp("_ZNK2v810StackFrame13GetScriptNameEv", &v8->get_script_name) &&
         LookUp("_ZNK2v810StackFrame15GetFunctionNameEv", &v8->get_function_name);
}

V8 v8;
napi_env env = nullptr;  // main thread only

// Guards `isolate` against ending while another thread interrupts it.
NoDestroy<std::mutex> isolate_mutex;
Isolate* isolate = nullptr;

enum State { kUnasked, kAsked, kKnown };
std::atomic<int> state{kUnasked};
char text[3000];

void Append(const char* format, const char* one, const char* other, Location location,
            size_t* length) {
  const int written = std::snprintf(text + *length, sizeof text - *length, format, one, other,
                                    location.line + 1, location.column + 1);
  // Whole lines only.
  if (written > 0 && *length + static_cast<size_t>(written) < sizeof text) {
    *length += static_cast<size_t>(written);
  }
  text[*length] = '\0';
}

// Empty when there is none.
template <size_t size>
void Copy(Local string, char (&copy)[size]) {
  copy[0] = '\0';
  if (string == nullptr) return;
  size_t length;
  if (napi_get_value_string_utf8(env, reinterpret_cast<napi_value>(string), copy, size, &length) !=
      napi_ok) {
    copy[0] = '\0';
  }
}

// On the main thread.
void OnInterrupt(Isolate* interrupted, void*) {
  if (env == nullptr) return;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  size_t length = 0;
  const Local stack = v8.current_stack_trace(interrupted, kMostFrames, kDetailed);
  const int count = stack == nullptr ? 0 : v8.get_frame_count(stack);
  for (int i = 0; i < count; ++i) {
    const Local frame = v8.get_frame(stack, interrupted, static_cast<unsigned>(i));
    if (frame == nullptr) continue;
    char function[128];
    char script[512];
    Copy(v8.get_function_name(frame), function);
    Copy(v8.get_script_name(frame), script);
    Append(function[0] == '\0' ? "    at %s%s:%d:%d\n" : "    at %s (%s:%d:%d)\n", function,
           script[0] == '\0' ? "<anonymous>" : script, v8.get_location(frame), &length);
  }
  napi_close_handle_scope(env, scope);
  if (length > 0) state.store(kKnown, std::memory_order_release);
}

// Runs whenever the isolate is disposed of; process.exit() leaves both as they are.
void Forget(void*) {
  env = nullptr;
  const std::lock_guard<std::mutex> lock(*isolate_mutex);
  isolate = nullptr;
}

}  // namespace

bool Prepare(napi_env main_env) {
  static const bool can_be_asked = LookUpAll(&v8);
  if (!can_be_asked || env == main_env) return can_be_asked;
  env = main_env;
  napi_add_env_cleanup_hook(env, Forget, nullptr);
  const std::lock_guard<std::mutex> lock(*isolate_mutex);
  isolate = v8.get_current();
  return true;
}

void Ask() {
  const std::lock_guard<std::mutex> lock(*isolate_mutex);
  if (isolate == nullptr) return;
  state.store(kAsked);
  v8.request_interrupt(isolate, OnInterrupt, nullptr);
}

bool WasAsked() { return state.load() != kUnasked; }
bool IsKnown() { return state.load(std::memory_order_acquire) == kKnown; }
const char* Text() { return text; }

}  // namespace daemoniker::stuck_stack
