// Names of users.
#pragma once

#include <cstdint>
#include <string>

namespace daemoniker {

// "uid 1000" for one without a name.
std::string UserName(int64_t uid);

}  // namespace daemoniker
