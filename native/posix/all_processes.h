// What each Unix must provide besides native/other_process.h: native/linux/process.cc,
// native/darwin/process.cc.
#pragma once

#include <cstdint>
#include <vector>

namespace daemoniker::process {

// All processes that may be seen.
std::vector<int64_t> All();

}  // namespace daemoniker::process
