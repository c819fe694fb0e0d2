#include "service.h"

namespace daemoniker::service {

bool Answer() { return false; }
void SetRunning() {}
void ReportExit(int) {}
void AddManagement(Napi::Env, Napi::Object) {}

}  // namespace daemoniker::service
