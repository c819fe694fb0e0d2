// Who a process is, by name.
#pragma once

#include <cstdint>

#include "pending.h"

namespace daemoniker {

// The file name of its program, as UTF-8, cut to what fits. Empty when it cannot be known. Any
// thread; allocates nothing.
void ReadSenderName(int64_t pid, Name& name) noexcept;

}  // namespace daemoniker
