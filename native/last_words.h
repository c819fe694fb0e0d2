// What a platform must provide: one line on stderr just before the process is ended.
#pragma once

namespace daemoniker {

// Writes `line` if that is possible without waiting: a full pipe must not delay the end.
void LastWords(const char* line);

}  // namespace daemoniker
