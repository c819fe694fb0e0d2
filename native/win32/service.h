// The end of a service as the rest of win32 sees it; see native/service.h.
#pragma once

namespace daemoniker::service {

// The process is about to be ended with this status, by whichever thread. Returns when the service
// manager knows, or after half a second, and at once if this is no service. Allocates nothing and
// takes no lock: another thread makes the report.
void ReportEnd(int status) noexcept;

}  // namespace daemoniker::service
