// What a platform must provide: answering the service manager that has started this process, and
// managing services.
//
//   native/win32/service.cc           being a service: StartServiceCtrlDispatcherW
//   native/win32/service_manager.cc   installing, starting, stopping and removing services
//   native/posix/service.cc           there are none: supervisors start and signal processes
//
// Main thread only.
#pragma once

#include <napi.h>

namespace daemoniker::service {

// Before signal handling starts. Whether this process is a service: then its manager is answered
// from now on, natively, and learns that the service is starting. Idempotent.
bool Answer();
// Signal handling has started.
void SetRunning();
// The process exits with this status, and has let go of its PID files. Returns when the manager
// knows, or does not answer.
void ReportExit(int status);

// Adds `services` to what JavaScript may call, where there are any.
void AddManagement(Napi::Env env, Napi::Object exports);

}  // namespace daemoniker::service
