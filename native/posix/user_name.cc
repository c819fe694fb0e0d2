#include "posix/user_name.h"

#include <pwd.h>
#include <sys/types.h>

#include <cerrno>
#include <vector>

namespace daemoniker {

std::string UserName(int64_t uid) {
  struct passwd entry;
  struct passwd* found = nullptr;
  // An entry has no limit of its own (getpwuid_r(3)).
  constexpr size_t kMost = 1 << 20;
  std::vector<char> buffer(4096);
  while (getpwuid_r(static_cast<uid_t>(uid), &entry, buffer.data(), buffer.size(), &found) ==
             ERANGE &&
         buffer.size() < kMost) {
    buffer.resize(buffer.size() * 2);
  }
  return found != nullptr ? found->pw_name : "uid " + std::to_string(uid);
}

}  // namespace daemoniker
