// The console's control events: Ctrl-C, Ctrl-Break, and the console's end.
#pragma once

namespace daemoniker::console_events {

// 0, or a libuv error number. Idempotent.
int Start();
void Stop();

}  // namespace daemoniker::console_events
