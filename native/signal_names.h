// Names for messages that are written when no JavaScript can run.
#pragma once

#include <csignal>

namespace daemoniker {

inline const char* SignalName(int signum) {
  switch (signum) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGABRT:
      return "SIGABRT";
    default:
      return "a signal";
  }
}

}  // namespace daemoniker
