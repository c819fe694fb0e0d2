#include "host.h"

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <utility>
#include <vector>

struct napi_threadsafe_function__ {
  napi_value function;
  void* context;
  napi_threadsafe_function_call_js call;
  bool aborted;
};

namespace {

std::mutex mutex;
std::condition_variable called;
std::deque<std::pair<napi_threadsafe_function, void*>> calls;
std::vector<napi_threadsafe_function> aborted;
std::vector<std::pair<napi_cleanup_hook, void*>> hooks;  // main thread only
std::deque<double> numbers;                              // main thread only
char environment;

[[noreturn]] void Fail(const char* what) {
  std::fprintf(stderr, "host: %s\n", what);
  std::abort();
}

}  // namespace

namespace host {

napi_env Env() { return reinterpret_cast<napi_env>(&environment); }

Napi::Function ToFunction(Function* body) { return {Env(), reinterpret_cast<napi_value>(body)}; }

void Turn(int milliseconds) {
  std::vector<napi_threadsafe_function> ended;
  {
    std::unique_lock<std::mutex> lock(mutex);
    called.wait_for(lock, std::chrono::milliseconds(milliseconds), [] { return !calls.empty(); });
    for (size_t waiting = calls.size(); waiting > 0 && !calls.empty(); --waiting) {
      const auto [function, data] = calls.front();
      calls.pop_front();
      lock.unlock();
      function->call(Env(), function->function, function->context, data);
      lock.lock();
    }
    ended.swap(aborted);
  }
  for (const napi_threadsafe_function function : ended) delete function;
}

void RunCleanupHooks() {
  while (!hooks.empty()) {
    const auto [hook, argument] = hooks.back();
    hooks.pop_back();
    hook(argument);
  }
}

}  // namespace host

extern "C" {

napi_status napi_create_threadsafe_function(napi_env, napi_value function, napi_value, napi_value,
                                            size_t, size_t, void*, napi_finalize, void* context,
                                            napi_threadsafe_function_call_js call,
                                            napi_threadsafe_function* result) {
  *result = new napi_threadsafe_function__{function, context, call, false};
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

napi_status napi_add_env_cleanup_hook(napi_env, napi_cleanup_hook hook, void* argument) {
  hooks.emplace_back(hook, argument);
  return napi_ok;
}

napi_status napi_remove_env_cleanup_hook(napi_env, napi_cleanup_hook hook, void* argument) {
  for (auto at = hooks.begin(); at != hooks.end(); ++at) {
    if (at->first != hook || at->second != argument) continue;
    hooks.erase(at);
    return napi_ok;
  }
  return napi_ok;
}

napi_status napi_create_double(napi_env, double value, napi_value* result) {
  numbers.push_back(value);
  *result = reinterpret_cast<napi_value>(&numbers.back());
  return napi_ok;
}

napi_status napi_call_function(napi_env, napi_value, napi_value function, size_t count,
                               const napi_value* arguments, napi_value* result) {
  std::vector<double> given;
  for (size_t i = 0; i < count; ++i) given.push_back(*reinterpret_cast<double*>(arguments[i]));
  numbers.clear();
  (*reinterpret_cast<host::Function*>(function))(given);
  *result = nullptr;
  return napi_ok;
}

napi_status napi_create_string_utf8(napi_env, const char*, size_t, napi_value* result) {
  *result = nullptr;
  return napi_ok;
}
napi_status napi_get_undefined(napi_env, napi_value* result) {
  *result = nullptr;
  return napi_ok;
}
napi_status napi_open_handle_scope(napi_env, napi_handle_scope*) { return napi_ok; }
napi_status napi_close_handle_scope(napi_env, napi_handle_scope) { return napi_ok; }
napi_status napi_is_exception_pending(napi_env, bool* result) {
  *result = false;
  return napi_ok;
}

}  // extern "C"
