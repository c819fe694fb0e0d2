// How this process ends, by a signal, with an exit status, through exit(3), in a forked child; and
// what stderr is told before.
//
//   native/end.cc         what all platforms have in common
//   native/posix/end.cc, native/linux/end.cc, native/darwin/end.cc, native/win32/end.cc
#pragma once

namespace daemoniker::end {

// When the addon is loaded. `clean_up` is the last of three layers that clean up (the others:
// JavaScript's 'exit' event and the environment's cleanup hook) and the only one that runs whenever
// exit(3) does, on whichever thread called that. Idempotent.
void Install(void (*clean_up)());

// False in a child that was forked without exec(3), or by vfork(2): it has our handler, our memory
// and what is registered with atexit(3), and no part in any of it. Async-signal-safe.
bool InOwnProcess() noexcept;

// Ends this process by this signal once exit(3) has done everything else (Unix). 0: no longer.
void DieAtExit(int signum);

// Ends this process by the signal's default action, so that its parent sees the truth. Where that
// does not terminate it (PID 1 of a Linux container, SIGTSTP, SIGWINCH) and on Windows: exit status
// 128 + signum. Nothing that is registered with atexit(3) runs. Allocates nothing and takes no
// lock.
[[noreturn]] void BySignal(int signum) noexcept;

// The same by an exit status.
[[noreturn]] void WithStatus(int status) noexcept;

// Another thread is ending this process.
[[noreturn]] void Wait();

// Gives a terminal that is in raw mode its settings back, if the runtime can. The first one, on the
// main thread, finds out whether it can; the second allocates nothing and waits for nobody.
void PrepareTerminalReset();
void ResetTerminal() noexcept;

// ---- What a platform must provide for native/end.cc ----

// `clean_up` runs at exit(3), `last` after all that others have registered there, Node's reset of
// the terminal among it. On Linux at quick_exit(3) as well, which is how Bun ends.
void RegisterAtExit(void (*clean_up)(), void (*last)());

// True when BySignal() would really die by the signal and not by an exit status.
bool CanDieBySignal();

}  // namespace daemoniker::end

namespace daemoniker::standard_error {

// Writes `text` unless that would have to wait: a full pipe must not delay the end. On Windows,
// which cannot tell, for 100 ms at most.
void Write(const char* text);

// The same for a thread that nobody waits for: on Windows, for as long as it takes. Whether it
// writes at all, `may_write` says, if given: asked last of all, so that whoever is told "no" and
// ends the process meanwhile can rely on the text.
void WriteOrHang(const char* text, bool (*may_write)() = nullptr);

// The same for the thread that may wait for nothing. Where the system cannot tell whether a write
// will wait (Windows) only a file is written to, which always takes it unless its disk hangs.
void WriteOrSkip(const char* text);

}  // namespace daemoniker::standard_error
