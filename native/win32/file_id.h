// Which file an open handle means.
#pragma once

#include <windows.h>

#include "other_process.h"

namespace daemoniker {

// False with GetLastError().
bool ReadFileId(HANDLE file, FileId* id);

}  // namespace daemoniker
