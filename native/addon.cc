// The Node-API surface: what lib/native.ts may call. Functions return values and codes; every error
// object is made in TypeScript (an error made here would belong to another realm inside Jest or
// node:vm).
#include <napi.h>

#include <string>
#include <vector>

#include "at_exit.h"
#include "clock.h"
#include "dispatcher.h"
#include "exit_watch.h"
#include "last_words.h"
#include "other_process.h"
#include "pid_file_claims.h"
#include "signal_source.h"
#include "stuck_stack.h"

namespace daemoniker {
namespace {

using Napi::CallbackInfo;
using Napi::Value;

int Int(const CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Int32Value();
}
int64_t Int64(const CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Number>().Int64Value();
}
std::string Text(const CallbackInfo& info, size_t index) {
  return info[index].As<Napi::String>().Utf8Value();
}
Value Number(const CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}
Value TextOrNull(const CallbackInfo& info, const std::string& text) {
  return text.empty() ? info.Env().Null() : Napi::String::New(info.Env(), text).As<Value>();
}

std::vector<int> Signums(const CallbackInfo& info, size_t index) {
  const auto array = info[index].As<Napi::Array>();
  std::vector<int> signums;
  for (uint32_t i = 0; i < array.Length(); ++i) {
    signums.push_back(array.Get(i).As<Napi::Number>().Int32Value());
  }
  return signums;
}

// ---- The signal source and the dispatcher ----

void SaveDispositions(const CallbackInfo& info) { signal_source::Save(Signums(info, 0)); }

// (onArrival) => 0 | error
Value StartDispatcher(const CallbackInfo& info) {
  return Number(info, Dispatcher::Instance().Start(info.Env(), info[0].As<Napi::Function>()));
}

// (signums) => 0 | error
Value Install(const CallbackInfo& info) {
  return Number(info, signal_source::Install(Signums(info, 0)));
}

void Abandon(const CallbackInfo& info) { signal_source::Abandon(Signums(info, 0)); }

// (signums, runtimeListens)
void PlanRestore(const CallbackInfo& info) {
  const std::vector<int> signums = Signums(info, 0);
  const auto listens = info[1].As<Napi::Array>();
  std::vector<RestorePlan> plan;
  for (uint32_t i = 0; i < signums.size(); ++i) {
    plan.push_back({signums[i], listens.Get(i).As<Napi::Boolean>().Value()});
  }
  signal_source::PlanRestore(plan);
}

void Restore(const CallbackInfo&) { signal_source::Restore(); }

// (signum, ignored)
void SetIgnored(const CallbackInfo& info) {
  signal_source::SetIgnored(Int(info, 0), info[1].As<Napi::Boolean>().Value());
}

void StopDispatcher(const CallbackInfo&) { Dispatcher::Instance().Stop(); }

void SetReferenced(const CallbackInfo& info) {
  Dispatcher::Instance().SetReferenced(info.Env(), info[0].As<Napi::Boolean>().Value());
}

// (onArrival)
void Deliver(const CallbackInfo& info) {
  Dispatcher::Deliver(info.Env(), info[0].As<Napi::Function>());
}

Value Waiting(const CallbackInfo& info) { return Number(info, Dispatcher::Instance().Waiting()); }

// (sequence, pid, wallUs) => string | null
Value SenderCommand(const CallbackInfo& info) {
  return TextOrNull(info,
                    Dispatcher::Instance().SenderCommand(static_cast<uint64_t>(Int64(info, 0)),
                                                         Int64(info, 1), Int64(info, 2)));
}

// A signal that the runtime's own handler caught before ours was in place.
void RecordFromRuntime(const CallbackInfo& info) {
  Arrival arrival;
  arrival.signum = Int(info, 0);
  if (arrival.signum < 1 || arrival.signum > kMaxSignal) return;
  arrival.wall_us = WallMicroseconds();
  arrival.steady_ns = SteadyNanoseconds();
  RecordArrival(arrival);
}

void FatalException(const CallbackInfo& info) { napi_fatal_exception(info.Env(), info[0]); }

// ---- Deadlines and the end ----

// (signum, milliseconds)
void SetSignalDeadline(const CallbackInfo& info) {
  const double milliseconds = info[1].As<Napi::Number>().DoubleValue();
  if (milliseconds != 0) stuck_stack::Prepare(info.Env());
  Dispatcher::Instance().SetSignalDeadline(Int(info, 0), milliseconds);
}

// (milliseconds, signum) => 0 | error
Value SetExitDeadline(const CallbackInfo& info) {
  stuck_stack::Prepare(info.Env());
  return Number(info, Dispatcher::Instance().SetExitDeadline(
                          info[0].As<Napi::Number>().DoubleValue(), Int(info, 1)));
}

void CancelExitDeadline(const CallbackInfo&) { Dispatcher::Instance().CancelExitDeadline(); }

void DieAtExitBy(const CallbackInfo& info) { DieAtExit(Int(info, 0)); }

// (line)
void WriteLastWords(const CallbackInfo& info) { LastWords(Text(info, 0).c_str()); }

// ---- PID files ----

Napi::Object ReportObject(const CallbackInfo& info, const FileReport& report) {
  auto result = Napi::Object::New(info.Env());
  result.Set("kind", static_cast<int32_t>(report.kind));
  result.Set("device", Napi::BigInt::New(info.Env(), report.id.device));
  result.Set("index", Napi::BigInt::New(info.Env(), report.id.index));
  result.Set("modifiedAt", report.modified_at_ms);
  result.Set("mode", report.mode);
  result.Set("uid", static_cast<double>(report.uid));
  result.Set("linkUid", static_cast<double>(report.link_uid));
  result.Set("size", static_cast<double>(report.size));
  result.Set("lockDescriptor", report.lock_descriptor);
  // One character for each byte: it may be anything.
  std::u16string content;
  for (const char byte : report.content) content += static_cast<unsigned char>(byte);
  result.Set("content", Napi::String::New(info.Env(), content));
  return result;
}

Napi::Object Failure(const CallbackInfo& info, int error, const char* call) {
  auto result = Napi::Object::New(info.Env());
  result.Set("error", error);
  result.Set("syscall", call);
  return result;
}

// (path) => report with `lock` | { error, syscall }
Value ExaminePath(const CallbackInfo& info) {
  FileReport report;
  LockState lock = LockState::kUnsupported;
  const char* failed_call = "open";
  const int error = ExaminePidFile(Text(info, 0), &report, &lock, &failed_call);
  if (error != 0) return Failure(info, error, failed_call);
  Napi::Object result = ReportObject(info, report);
  result.Set("lock", static_cast<int32_t>(lock));
  return result;
}

// (path) => { claim, created, shared } | { error, syscall }
Value OpenClaim(const CallbackInfo& info) {
  const PidFileClaims::Opened opened =
      PidFileClaims::Instance().Open(Text(info, 0), static_cast<napi_env>(info.Env()));
  if (opened.error != 0) return Failure(info, opened.error, "open");
  auto result = Napi::Object::New(info.Env());
  result.Set("claim", opened.claim);
  result.Set("created", opened.created);
  result.Set("shared", opened.shared);
  return result;
}

Value LockClaim(const CallbackInfo& info) {
  return Number(info, static_cast<int>(PidFileClaims::Instance().TryLock(Int(info, 0))));
}

Value ReportClaim(const CallbackInfo& info) {
  FileReport report;
  const int error = PidFileClaims::Instance().Report(Int(info, 0), &report);
  if (error != 0) return Failure(info, error, "read");
  return ReportObject(info, report);
}

// (claim, content) => 0 | error
Value WriteClaim(const CallbackInfo& info) {
  return Number(info, PidFileClaims::Instance().Write(Int(info, 0), Text(info, 1)));
}

Value IsClaimCurrent(const CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), PidFileClaims::Instance().IsCurrent(Int(info, 0)));
}

// (claim, removeAtEnd)
void ConfirmClaim(const CallbackInfo& info) {
  PidFileClaims::Instance().Confirm(Int(info, 0), info[1].As<Napi::Boolean>().Value());
}

// (claim, removeNow)
void ReleaseClaim(const CallbackInfo& info) {
  PidFileClaims::Instance().Release(Int(info, 0), info[1].As<Napi::Boolean>().Value());
}

// ---- Other processes ----

// (pid) => { handle } | { error, syscall }; handle is -1 where the system has none
Value OpenProcess(const CallbackInfo& info) {
  process::Handle handle = process::kNoHandle;
  const int error = process::Open(Int64(info, 0), &handle);
  if (error != 0) return Failure(info, error, "open");
  auto result = Napi::Object::New(info.Env());
  result.Set("handle", static_cast<double>(handle));
  return result;
}

void CloseProcess(const CallbackInfo& info) {
  process::Close(static_cast<process::Handle>(Int64(info, 0)));
}

// (pid, handle) => { zombie, startedAt, birth } | { error, syscall }
Value DescribeProcess(const CallbackInfo& info) {
  process::Description description;
  const int error =
      process::Describe(Int64(info, 0), static_cast<process::Handle>(Int64(info, 1)), &description);
  if (error != 0) return Failure(info, error, "stat");
  auto result = Napi::Object::New(info.Env());
  result.Set("zombie", description.zombie);
  result.Set("startedAt", description.started_at_ms);
  result.Set("birth", description.birth);
  return result;
}

// (pid) => uid | error (negative)
Value ProcessOwner(const CallbackInfo& info) {
  int64_t uid = 0;
  const int error = process::Owner(Int64(info, 0), &uid);
  return Number(info, error != 0 ? error : static_cast<double>(uid));
}

// (pid, device, index, path, descriptor) => 0 no | 1 yes | 2 unknown
Value HoldsLock(const CallbackInfo& info) {
  bool lossless = false;
  const FileId file = {info[1].As<Napi::BigInt>().Uint64Value(&lossless),
                       info[2].As<Napi::BigInt>().Uint64Value(&lossless)};
  return Number(info, static_cast<int>(
                          process::HoldsLock(Int64(info, 0), file, Text(info, 3), Int(info, 4))));
}

// (pid, handle, signum) => 0 | error
Value SignalProcess(const CallbackInfo& info) {
  return Number(info, process::Signal(Int64(info, 0), static_cast<process::Handle>(Int64(info, 1)),
                                      Int(info, 2)));
}

// (pid, handle, birth, onExit) => watch, which owns the handle | { error, syscall }
Value WatchExit(const CallbackInfo& info) {
  ExitWatch* watch = nullptr;
  const int error = ExitWatch::Start(
      info.Env(), Int64(info, 0), static_cast<process::Handle>(Int64(info, 1)),
      info[2].As<Napi::Number>().DoubleValue(), info[3].As<Napi::Function>(), &watch);
  if (error != 0) return Failure(info, error, "wait");
  return Napi::External<ExitWatch>::New(info.Env(), watch);
}

// (watch)
void UnwatchExit(const CallbackInfo& info) {
  info[0].As<Napi::External<ExitWatch>>().Data()->Stop();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  InstallAtExit();
  napi_add_env_cleanup_hook(
      env, [](void* ended) { PidFileClaims::Instance().ReleaseUnconfirmed(ended); },
      static_cast<napi_env>(env));

  // The process object of the realm that the addon was loaded into, which is the host's even inside
  // Jest's sandbox, where `process` is a copy.
  exports.Set("hostProcess", env.Global().Get("process"));

  const auto set = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("saveDispositions", SaveDispositions);
  set("startDispatcher", StartDispatcher);
  set("install", Install);
  set("abandon", Abandon);
  set("setIgnored", SetIgnored);
  set("planRestore", PlanRestore);
  set("restore", Restore);
  set("stopDispatcher", StopDispatcher);
  set("setReferenced", SetReferenced);
  set("deliver", Deliver);
  set("waiting", Waiting);
  set("senderCommand", SenderCommand);
  set("recordFromRuntime", RecordFromRuntime);
  set("fatalException", FatalException);
  set("setSignalDeadline", SetSignalDeadline);
  set("setExitDeadline", SetExitDeadline);
  set("cancelExitDeadline", CancelExitDeadline);
  set("dieAtExit", DieAtExitBy);
  set("lastWords", WriteLastWords);
  set("examinePath", ExaminePath);
  set("openClaim", OpenClaim);
  set("lockClaim", LockClaim);
  set("reportClaim", ReportClaim);
  set("writeClaim", WriteClaim);
  set("isClaimCurrent", IsClaimCurrent);
  set("confirmClaim", ConfirmClaim);
  set("releaseClaim", ReleaseClaim);
  set("openProcess", OpenProcess);
  set("closeProcess", CloseProcess);
  set("describeProcess", DescribeProcess);
  set("processOwner", ProcessOwner);
  set("holdsLock", HoldsLock);
  set("signalProcess", SignalProcess);
  set("watchExit", WatchExit);
  set("unwatchExit", UnwatchExit);
  return exports;
}

}  // namespace

// Not in the unnamed namespace: what it defines has to be exported.
NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)

}  // namespace daemoniker
