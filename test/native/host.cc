#include "host.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

struct napi_threadsafe_function__ {
  napi_env env;
  napi_value function;
  void* context;
  napi_threadsafe_function_call_js call;
  bool aborted;
};

namespace {

struct Hook {
  napi_env env;
  napi_cleanup_hook run;
  void* argument;
};

std::mutex mutex;
std::condition_variable called;
std::deque<std::pair<napi_threadsafe_function, void*>> calls;
std::vector<napi_threadsafe_function> aborted;
// Main thread only.
std::vector<Hook> hooks;
std::deque<host::Value> values;
int running = 0;
char environments[2];

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "host: %s\n", what);
  std::abort();
}

napi_value Keep(host::Value value) {
  values.push_back(std::move(value));
  return reinterpret_cast<napi_value>(&values.back());
}

const host::Value& ValueOf(napi_value value) { return *reinterpret_cast<host::Value*>(value); }

// Values live until the outermost call from the event loop is over.
void Call(napi_threadsafe_function function, void* data) {
  ++running;
  function->call(function->env, function->function, function->context, data);
  if (--running == 0) values.clear();
}

}  // namespace

namespace host {

napi_env Env(int number) { return reinterpret_cast<napi_env>(&environments[number]); }

Napi::Function ToFunction(Function* body, int env) {
  return {Env(env), reinterpret_cast<napi_value>(body)};
}

void Turn(int milliseconds) {
  std::vector<napi_threadsafe_function> ended;
  {
    std::unique_lock<std::mutex> lock(mutex);
    called.wait_for(lock, std::chrono::milliseconds(milliseconds), [] { return !calls.empty(); });
    for (size_t waiting = calls.size(); waiting > 0 && !calls.empty(); --waiting) {
      const auto [function, data] = calls.front();
      calls.pop_front();
      lock.unlock();
      Call(function, data);
      lock.lock();
    }
    ended.swap(aborted);
  }
  for (const napi_threadsafe_function function : ended) delete function;
}

void RunCleanupHooks(int number) {
  for (size_t left = hooks.size(); left > 0;) {
    const Hook hook = hooks[--left];
    if (hook.env != Env(number)) continue;
    hooks.erase(hooks.begin() + static_cast<std::ptrdiff_t>(left));
    hook.run(hook.argument);
    left = hooks.size();
  }
}

}  // namespace host

extern "C" {

napi_status napi_create_threadsafe_function(napi_env env, napi_value function, napi_value,
                                            napi_value, size_t, size_t, void*, napi_finalize,
                                            void* context, napi_threadsafe_function_call_js call,
                                            napi_threadsafe_function* result) {
  *result = new napi_threadsafe_function__{env, function, context, call, false};
  return napi_ok;
}

napi_status napi_call_threadsafe_function(napi_threadsafe_function function, void* data,
                                          napi_threadsafe_function_call_mode) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (function->aborted) return napi_closing;
  calls.emplace_back(function, data);
  called.notify_one();
  return napi_ok;
}

napi_status napi_release_threadsafe_function(napi_threadsafe_function function,
                                             napi_threadsafe_function_release_mode) {
  const std::lock_guard<std::mutex> lock(mutex);
  if (function->aborted) Fail("a thread-safe function is aborted twice");
  function->aborted = true;
  std::deque<std::pair<napi_threadsafe_function, void*>> others;
  for (const auto& call : calls) {
    if (call.first != function) others.push_back(call);
  }
  calls.swap(others);
  aborted.push_back(function);
  return napi_ok;
}

napi_status napi_ref_threadsafe_function(napi_env, napi_threadsafe_function) { return napi_ok; }
napi_status napi_unref_threadsafe_function(napi_env, napi_threadsafe_function) { return napi_ok; }

napi_status napi_add_env_cleanup_hook(napi_env env, napi_cleanup_hook hook, void* argument) {
  hooks.push_back({env, hook, argument});
  return napi_ok;
}

napi_status napi_remove_env_cleanup_hook(napi_env env, napi_cleanup_hook hook, void* argument) {
  for (auto at = hooks.begin(); at != hooks.end(); ++at) {
    if (at->env != env || at->run != hook || at->argument != argument) continue;
    hooks.erase(at);
    return napi_ok;
  }
  return napi_ok;
}

napi_status napi_create_reference(napi_env, napi_value value, uint32_t, napi_ref* result) {
  *result = reinterpret_cast<napi_ref>(new napi_value(value));
  return napi_ok;
}
napi_status napi_delete_reference(napi_env, napi_ref reference) {
  delete reinterpret_cast<napi_value*>(reference);
  return napi_ok;
}
napi_status napi_get_reference_value(napi_env, napi_ref reference, napi_value* result) {
  *result = *reinterpret_cast<napi_value*>(reference);
  return napi_ok;
}

napi_status napi_call_function(napi_env, napi_value, napi_value function, size_t count,
                               const napi_value* arguments, napi_value* result) {
  std::vector<host::Value> given;
  for (size_t i = 0; i < count; ++i) given.push_back(ValueOf(arguments[i]));
  *result = Keep((*reinterpret_cast<host::Function*>(function))(given));
  return napi_ok;
}

napi_status napi_create_double(napi_env, double value, napi_value* result) {
  *result = Keep({host::Value::kNumber, value, ""});
  return napi_ok;
}
napi_status napi_create_string_utf8(napi_env, const char* text, size_t length, napi_value* result) {
  const size_t size = length == NAPI_AUTO_LENGTH ? std::strlen(text) : length;
  *result = Keep({host::Value::kText, 0, std::string(text, size)});
  return napi_ok;
}
napi_status napi_get_undefined(napi_env, napi_value* result) {
  *result = Keep({});
  return napi_ok;
}
napi_status napi_get_null(napi_env, napi_value* result) {
  *result = Keep({host::Value::kNull, 0, ""});
  return napi_ok;
}

napi_status napi_typeof(napi_env, napi_value value, napi_valuetype* result) {
  switch (ValueOf(value).kind) {
    case host::Value::kNumber:
      *result = napi_number;
      break;
    case host::Value::kText:
      *result = napi_string;
      break;
    case host::Value::kNull:
      *result = napi_null;
      break;
    default:
      *result = napi_undefined;
  }
  return napi_ok;
}
napi_status napi_get_value_string_utf8(napi_env, napi_value value, char* copy, size_t size,
                                       size_t* result) {
  const std::string& text = ValueOf(value).text;
  if (copy == nullptr) {
    *result = text.size();
    return napi_ok;
  }
  const size_t length = text.copy(copy, size - 1);
  copy[length] = '\0';
  if (result != nullptr) *result = length;
  return napi_ok;
}

napi_status napi_open_handle_scope(napi_env, napi_handle_scope*) { return napi_ok; }
napi_status napi_close_handle_scope(napi_env, napi_handle_scope) { return napi_ok; }
napi_status napi_open_escapable_handle_scope(napi_env, napi_escapable_handle_scope*) {
  return napi_ok;
}
napi_status napi_close_escapable_handle_scope(napi_env, napi_escapable_handle_scope) {
  return napi_ok;
}
napi_status napi_escape_handle(napi_env, napi_escapable_handle_scope, napi_value value,
                               napi_value* result) {
  *result = value;
  return napi_ok;
}
napi_status napi_is_exception_pending(napi_env, bool* result) {
  *result = false;
  return napi_ok;
}

}  // extern "C"
