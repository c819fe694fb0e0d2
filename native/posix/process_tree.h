// What each Unix must provide besides native/other_process.h: native/linux/process.cc,
// native/darwin/process.cc.
#pragma once

#include <cstdint>
#include <vector>

namespace daemoniker::process {

// All processes that may be seen. None: it could not look, as this process is one of them.
std::vector<int64_t> All();

// 0: it has none, or none that may be seen.
int64_t ParentOf(int64_t pid);

}  // namespace daemoniker::process
