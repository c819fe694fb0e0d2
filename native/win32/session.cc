#include "session.h"

#include <windows.h>

#include <vector>

#include "other_process.h"
#include "win32/error_codes.h"
#include "win32/handle.h"

namespace daemoniker::session {
namespace {

// Windows has no such signal, but Node.js has the number.
constexpr int kSigkill = 9;

HANDLE JobOf(Id id) { return reinterpret_cast<HANDLE>(id); }

std::vector<int64_t> Members(Id id) {
  // It says how many there are only if there is room for them.
  for (DWORD room = 64; room <= 65536; room *= 4) {
    std::vector<char> buffer(sizeof(JOBOBJECT_BASIC_PROCESS_ID_LIST) + room * sizeof(ULONG_PTR));
    auto* list = reinterpret_cast<JOBOBJECT_BASIC_PROCESS_ID_LIST*>(buffer.data());
    if (QueryInformationJobObject(JobOf(id), JobObjectBasicProcessIdList, list,
                                  static_cast<DWORD>(buffer.size()), nullptr)) {
      return std::vector<int64_t>(list->ProcessIdList,
                                  list->ProcessIdList + list->NumberOfProcessIdsInList);
    }
    if (GetLastError() != ERROR_MORE_DATA) break;
  }
  return {};
}

// One of its processes, and no other that has got the number since. By its list: IsProcessInJob()
// asks for more rights under Wine than the handle may have.
class Member {
 public:
  Member(Id id, int64_t pid) {
    if (process::Open(pid, &handle_) != 0) return;
    // Asked while the handle keeps the number from being used again.
    for (const int64_t member : Members(id)) valid_ = valid_ || member == pid;
  }
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() { process::Close(handle_); }

  bool valid() const { return valid_; }
  process::Handle handle() const { return handle_; }

 private:
  process::Handle handle_ = process::kNoHandle;
  bool valid_ = false;
};

}  // namespace

// What can be inherited there was made so by somebody.
void KeepDescriptors() {}

// What the child starts between its own start and this is not in the job; it has hardly begun by
// then.
int Open(int64_t leader, Id* id) {
  OwnedHandle job(CreateJobObjectW(nullptr, nullptr));
  if (!job.valid()) return LastUvError();
  const OwnedHandle process(
      OpenProcess(PROCESS_SET_QUOTA | PROCESS_TERMINATE, FALSE, static_cast<DWORD>(leader)));
  if (!process.valid() || !AssignProcessToJobObject(job.get(), process.get())) return LastUvError();
  *id = reinterpret_cast<Id>(job.Release());
  return 0;
}

void Close(Id id) { CloseHandle(JobOf(id)); }

bool Contains(Id id, int64_t pid) {
  const Member member(id, pid);
  return member.valid();
}

std::vector<int64_t> Signal(Id id, int signum) {
  const std::vector<int64_t> pids = Members(id);
  if (signum == kSigkill) {
    TerminateJobObject(JobOf(id), kSigkill);
  } else if (signum != 0) {
    for (const int64_t pid : pids) {
      const Member member(id, pid);
      if (member.valid()) process::Signal(pid, member.handle(), signum);
    }
  }
  return pids;
}

}  // namespace daemoniker::session
