// The Node-API surface: what lib/native.ts may call. Functions return values and codes; every error
// object is made in TypeScript (an error made here would belong to another realm inside Jest or
// node:vm).
#include <napi.h>

#include <cstdio>
#include <string>

#include "clock.h"
#include "dispositions.h"
#include "end.h"
#include "exit_wait.h"
#include "messenger.h"
#include "notify.h"
#include "other_process.h"
#include "pending.h"
#include "pid_file_claims.h"
#include "service.h"
#include "session.h"
#include "shutdown.h"
#include "watcher.h"

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
bool Bool(const CallbackInfo& info, size_t index) {
  return info[index].As<Napi::Boolean>().Value();
}
Value Number(const CallbackInfo& info, double value) {
  return Napi::Number::New(info.Env(), value);
}
Value TextOrNull(const CallbackInfo& info, const std::string& text) {
  return text.empty() ? info.Env().Null() : Napi::String::New(info.Env(), text).As<Value>();
}

int64_t Nanoseconds(const CallbackInfo& info, size_t milliseconds) {
  return static_cast<int64_t>(info[milliseconds].As<Napi::Number>().DoubleValue() * 1e6);
}

// ---- Threads ----

// (onArrival, describeOpen) => 0 | 1 another environment's | error
Value StartThreads(const CallbackInfo& info) {
  int error =
      messenger::Start(info.Env(), info[0].As<Napi::Function>(), info[1].As<Napi::Function>());
  if (error != 0) return Number(info, error);
  error = watcher::Start();
  if (error != 0) messenger::Stop();
  return Number(info, error);
}

// Those that an exit limit needs stay. The deadlines go at once: until the next handler has set its
// own, its start() calls JavaScript of others.
void StopThreads(const CallbackInfo&) {
  watcher::ClearSignalLimits();
  if (watcher::LimitsExit()) return;
  watcher::Stop();
  messenger::Stop();
}

void SetReferenced(const CallbackInfo& info) {
  messenger::SetReferenced(info.Env(), Bool(info, 0));
}

// The environment ends: no JavaScript will handle a signal any more, which would be swallowed.
void CleanUpEnvironment() {
  dispositions::GiveBackAtEnd();
  watcher::ClearSignalLimits();
  if (!watcher::LimitsExit()) watcher::Stop();
  messenger::Stop();
}

// ---- Signals ----

// What JavaScript does in the middle of a transition; an exception stays pending and is thrown by
// the call of the transition.
dispositions::Between Between(const CallbackInfo& info, size_t index) {
  return [&info, index] {
    info[index].As<Napi::Function>().Call({});
    return !info.Env().IsExceptionPending();
  };
}

// (signum, between) => 0 | error
Value Take(const CallbackInfo& info) {
  return Number(info, dispositions::Take(Int(info, 0), Between(info, 1)));
}

// (signum, after, between)
void GiveBack(const CallbackInfo& info) {
  dispositions::GiveBack(Int(info, 0), static_cast<dispositions::After>(Int(info, 1)),
                         Between(info, 2));
}

Value Unreachable(const CallbackInfo& info) { return Number(info, dispositions::Unreachable()); }

// (signum, ignored, milliseconds, beginsShutdown, endsShutdown)
void SetHandling(const CallbackInfo& info) {
  const int signum = Int(info, 0);
  pending.SetIgnored(signum, Bool(info, 1));
  watcher::SetSignalLimit(signum, Nanoseconds(info, 2));
  shutdown::SetRole(signum, Bool(info, 3), Bool(info, 4));
}

// (signum, name): what it is called when the process is ended.
void NameSignal(const CallbackInfo& info) {
  watcher::SetSignalName(Int(info, 0), Text(info, 1).c_str());
}

// (onArrival)
void Deliver(const CallbackInfo& info) {
  messenger::Deliver(info.Env(), info[0].As<Napi::Function>());
}

// How many different signals wait.
Value Waiting(const CallbackInfo& info) {
  int waiting = 0;
  PendingSignals::ForEach(pending.Waiting(), [&](int) { ++waiting; });
  return Number(info, waiting);
}

void Discard(const CallbackInfo&) {
  Arrival arrival;
  while (pending.Take(&arrival)) continue;
}

// (signum, sequence) => string | null
Value SenderName(const CallbackInfo& info) {
  Name name = {};
  pending.ReadName(Int(info, 0), static_cast<uint64_t>(Int64(info, 1)), name);
  return TextOrNull(info, name);
}

// A signal that the runtime's own handler caught before ours was in place.
void RecordFromRuntime(const CallbackInfo& info) {
  Arrival arrival;
  arrival.signum = Int(info, 0);
  if (arrival.signum < 1 || arrival.signum > kMaxSignal) return;
  arrival.wall_us = WallMicroseconds();
  arrival.steady_ns = SteadyNanoseconds();
  pending.Record(arrival);
  messenger::Notify();
}

void FatalException(const CallbackInfo& info) { napi_fatal_exception(info.Env(), info[0]); }

// ---- The end ----

// (milliseconds, signum, extend)
void SetExitLimit(const CallbackInfo& info) {
  watcher::SetExitLimit(Nanoseconds(info, 0), Int(info, 1), Bool(info, 2));
}

void CancelExitLimit(const CallbackInfo&) { watcher::CancelExitLimit(); }

// ---- The shutdown ----

// (milliseconds)
void LimitShutdown(const CallbackInfo& info) { shutdown::SetLimit(Nanoseconds(info, 0)); }

// (milliseconds)
void BeginShutdown(const CallbackInfo& info) {
  shutdown::Begin(Nanoseconds(info, 0));
  watcher::Notify();
}

// (name)
void SetRunning(const CallbackInfo& info) {
  shutdown::Running running = {};
  std::snprintf(running, sizeof running, "%s", Text(info, 0).c_str());
  shutdown::SetRunning(running);
}

void FinishShutdown(const CallbackInfo&) {
  if (shutdown::Finish()) watcher::Notify();
}

void FinishUnseenShutdown(const CallbackInfo&) {
  if (shutdown::FinishUnlessSeen()) watcher::Notify();
}

void DieAtExit(const CallbackInfo& info) { end::DieAtExit(Int(info, 0)); }

// (line)
void WriteToStandardError(const CallbackInfo& info) {
  standard_error::Write(Text(info, 0).c_str());
}

// The last of three layers of cleaning up; see end.h.
void CleanUpAtExit() {
  messenger::LeaveJavaScriptAlone();
  ExitWait::LeaveJavaScriptAlone();
  // Before the signals: whoever can read the PID may signal it.
  PidFileClaims::Instance().ReleaseAll();
  dispositions::GiveBackAtEnd();
}

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

// (path) => { claim, created, writable, shared, pending } | { error, syscall }
Value OpenClaim(const CallbackInfo& info) {
  const PidFileClaims::Opened opened =
      PidFileClaims::Instance().Open(Text(info, 0), static_cast<napi_env>(info.Env()));
  if (opened.error != 0) return Failure(info, opened.error, "open");
  auto result = Napi::Object::New(info.Env());
  result.Set("claim", opened.claim);
  result.Set("created", opened.created);
  result.Set("writable", opened.writable);
  result.Set("shared", opened.shared);
  result.Set("pending", opened.pending);
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

// (claim, content, mark) => whether it has won | { error, syscall }
Value PublishClaim(const CallbackInfo& info) {
  bool won = true;
  const char* failed_call = "write";
  const int error = PidFileClaims::Instance().Publish(Int(info, 0), Text(info, 1), Text(info, 2),
                                                      &won, &failed_call);
  if (error != 0) return Failure(info, error, failed_call);
  return Napi::Boolean::New(info.Env(), won);
}

Value IsClaimCurrent(const CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), PidFileClaims::Instance().IsCurrent(Int(info, 0)));
}

// (claim, removeAtEnd)
void ConfirmClaim(const CallbackInfo& info) {
  PidFileClaims::Instance().Confirm(Int(info, 0), Bool(info, 1));
}

// (claim, removeNow)
void ReleaseClaim(const CallbackInfo& info) {
  PidFileClaims::Instance().Release(Int(info, 0), Bool(info, 1));
}

// ---- The supervisor ----

// (socket, message, waits) => 0 | error
Value NotifyTheSupervisor(const CallbackInfo& info) {
  return Number(info, NotifySupervisor(Text(info, 0), Text(info, 1), Bool(info, 2)));
}

Value MonotonicMicroseconds(const CallbackInfo& info) {
  return Number(info, static_cast<double>(SteadyNanoseconds() / 1000));
}

// ---- The service manager ----

// => whether this process is a service
Value AnswerServiceManager(const CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), service::Answer());
}

void ServiceRuns(const CallbackInfo&) { service::SetRunning(); }

// (exitCode): at the end of 'exit'.
void ServiceExits(const CallbackInfo& info) {
  PidFileClaims::Instance().ReleaseAll();
  service::ReportExit(Int(info, 0));
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

// (pid, handle) => { zombie, startedAt, birth, parent } | { error, syscall }
Value DescribeProcess(const CallbackInfo& info) {
  process::Description description;
  const int error =
      process::Describe(Int64(info, 0), static_cast<process::Handle>(Int64(info, 1)), &description);
  if (error != 0) return Failure(info, error, "stat");
  auto result = Napi::Object::New(info.Env());
  result.Set("zombie", description.zombie);
  result.Set("startedAt", description.started_at_ms);
  result.Set("birth", description.birth);
  result.Set("parent", static_cast<double>(description.parent));
  return result;
}

// (pid, handle) => { command, user, suspended }; empty texts where that is not known
Value ProcessDetails(const CallbackInfo& info) {
  const process::Details details =
      process::DetailsOf(Int64(info, 0), static_cast<process::Handle>(Int64(info, 1)));
  auto result = Napi::Object::New(info.Env());
  result.Set("command", details.command);
  result.Set("user", details.user);
  result.Set("suspended", details.suspended);
  return result;
}

// (pid) => whether it is an own child
Value IsChild(const CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), process::IsChild(Int64(info, 0)));
}

// (pid) => uid | error (negative)
Value ProcessOwner(const CallbackInfo& info) {
  int64_t uid = 0;
  const int error = process::Owner(Int64(info, 0), &uid);
  return Number(info, error != 0 ? error : static_cast<double>(uid));
}

// (pid, fileOwner) => Role
Value RoleOfProcess(const CallbackInfo& info) {
  return Number(info, static_cast<int>(process::RoleOf(Int64(info, 0), Int64(info, 1))));
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

// (pid, handle, birth, onExit(code, signum)) => wait, which owns the handle | { error, syscall }
Value WaitForExit(const CallbackInfo& info) {
  ExitWait* wait = nullptr;
  const int error = ExitWait::Start(
      info.Env(), Int64(info, 0), static_cast<process::Handle>(Int64(info, 1)),
      info[2].As<Napi::Number>().DoubleValue(), info[3].As<Napi::Function>(), &wait);
  if (error != 0) return Failure(info, error, "wait");
  return Napi::External<ExitWait>::New(info.Env(), wait);
}

// (wait)
void StopWaiting(const CallbackInfo& info) {
  info[0].As<Napi::External<ExitWait>>().Data()->Stop();
}

// ---- Sessions ----

void KeepDescriptors(const CallbackInfo&) { session::KeepDescriptors(); }

// (leader) => { session } | { error, syscall }
Value OpenSession(const CallbackInfo& info) {
  session::Id id = 0;
  const int error = session::Open(Int64(info, 0), &id);
  if (error != 0) return Failure(info, error, "open");
  auto result = Napi::Object::New(info.Env());
  result.Set("session", static_cast<double>(id));
  return result;
}

void CloseSession(const CallbackInfo& info) {
  session::Close(static_cast<session::Id>(Int64(info, 0)));
}

// (session, pid) => boolean
Value SessionContains(const CallbackInfo& info) {
  return Napi::Boolean::New(
      info.Env(), session::Contains(static_cast<session::Id>(Int64(info, 0)), Int64(info, 1)));
}

// (session, signum) => the PIDs of its processes
Value SignalSession(const CallbackInfo& info) {
  const std::vector<int64_t> members =
      session::Signal(static_cast<session::Id>(Int64(info, 0)), Int(info, 1));
  auto result = Napi::Array::New(info.Env(), members.size());
  for (uint32_t index = 0; index < members.size(); ++index) {
    result.Set(index, static_cast<double>(members[index]));
  }
  return result;
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  end::Install(CleanUpAtExit);
  static const bool closes_in_children = [] {
    AtFork([] { PidFileClaims::Instance().ForgetInChild(); });
    return true;
  }();
  (void)closes_in_children;
  messenger::SetCleanUp(CleanUpEnvironment);
  napi_add_env_cleanup_hook(
      env, [](void* ended) { PidFileClaims::Instance().ReleaseUnconfirmed(ended); },
      static_cast<napi_env>(env));

  // The process object of the realm that the addon was loaded into, which is the host's even inside
  // Jest's sandbox, where `process` is a copy.
  exports.Set("hostProcess", env.Global().Get("process"));

  const dispositions::Range real_time = dispositions::RealTimeSignals();
  exports.Set("firstRealTimeSignal", real_time.first);
  exports.Set("lastRealTimeSignal", real_time.last);

  const auto set = [&](const char* name, auto function) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  set("startThreads", StartThreads);
  set("stopThreads", StopThreads);
  set("setReferenced", SetReferenced);
  set("take", Take);
  set("giveBack", GiveBack);
  set("unreachable", Unreachable);
  set("setHandling", SetHandling);
  set("nameSignal", NameSignal);
  set("deliver", Deliver);
  set("waiting", Waiting);
  set("discard", Discard);
  set("senderName", SenderName);
  set("recordFromRuntime", RecordFromRuntime);
  set("fatalException", FatalException);
  set("setExitLimit", SetExitLimit);
  set("cancelExitLimit", CancelExitLimit);
  set("limitShutdown", LimitShutdown);
  set("beginShutdown", BeginShutdown);
  set("setRunning", SetRunning);
  set("finishShutdown", FinishShutdown);
  set("finishUnseenShutdown", FinishUnseenShutdown);
  set("dieAtExit", DieAtExit);
  set("writeToStandardError", WriteToStandardError);
  set("examinePath", ExaminePath);
  set("openClaim", OpenClaim);
  set("lockClaim", LockClaim);
  set("reportClaim", ReportClaim);
  set("publishClaim", PublishClaim);
  set("isClaimCurrent", IsClaimCurrent);
  set("confirmClaim", ConfirmClaim);
  set("releaseClaim", ReleaseClaim);
  set("notifySupervisor", NotifyTheSupervisor);
  set("monotonicMicroseconds", MonotonicMicroseconds);
  set("answerServiceManager", AnswerServiceManager);
  set("serviceRuns", ServiceRuns);
  set("serviceExits", ServiceExits);
  set("openProcess", OpenProcess);
  set("closeProcess", CloseProcess);
  set("describeProcess", DescribeProcess);
  set("processDetails", ProcessDetails);
  set("isChild", IsChild);
  set("processOwner", ProcessOwner);
  set("roleOf", RoleOfProcess);
  set("holdsLock", HoldsLock);
  set("signalProcess", SignalProcess);
  set("waitForExit", WaitForExit);
  set("stopWaiting", StopWaiting);
  set("keepDescriptors", KeepDescriptors);
  set("openSession", OpenSession);
  set("closeSession", CloseSession);
  set("sessionContains", SessionContains);
  set("signalSession", SignalSession);
  service::AddManagement(env, exports);
  return exports;
}

}  // namespace

// Not in the unnamed namespace: what it defines has to be exported.
NODE_API_MODULE(NODE_GYP_MODULE_NAME, Init)

}  // namespace daemoniker
