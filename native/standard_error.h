// What a platform must provide: writing to stderr when the process is about to end.
//
//   native/linux/standard_error.cc
//   native/darwin/standard_error.cc
//   native/win32/standard_error.cc
#pragma once

namespace daemoniker::standard_error {

// Writes `text` unless that would have to wait: a full pipe must not delay the end. On Windows,
// which cannot tell, for 100 ms at most.
void Write(const char* text);

// The same for a thread that nobody waits for: on Windows, for as long as it takes.
void WriteOrHang(const char* text);

// The same for the thread that may wait for nothing. Where the system cannot tell whether a write
// will wait (Windows) only a file is written to, which always takes it unless its disk hangs.
void WriteOrSkip(const char* text);

}  // namespace daemoniker::standard_error
