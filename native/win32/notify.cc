#include "notify.h"

#include "win32/error_codes.h"

namespace daemoniker {

int NotifySupervisor(const std::string&, const std::string&, bool) { return uv::kEnotsup; }

}  // namespace daemoniker
