#include "pid_file.h"

#include <windows.h>
// After windows.h, which it needs.
#include <winternl.h>

#include <atomic>
#include <cstring>
#include <cwchar>
#include <vector>

#include "clock.h"
#include "win32/error_codes.h"
#include "win32/file_id.h"
#include "win32/file_lock.h"
#include "win32/file_time.h"
#include "win32/handle.h"
#include "win32/shared_file.h"
#include "win32/wide.h"

namespace daemoniker {
namespace {

HANDLE HandleOf(intptr_t native) { return reinterpret_cast<HANDLE>(native); }

// What a path names, a link itself included, for nothing but a look; null when there is no such
// file. CreateFileW() would allocate.
HANDLE OpenToLook(const std::wstring& kernel_path) {
  UNICODE_STRING name = {};
  name.Buffer = const_cast<wchar_t*>(kernel_path.data());
  name.Length = static_cast<USHORT>(kernel_path.size() * sizeof(wchar_t));
  name.MaximumLength = name.Length;
  OBJECT_ATTRIBUTES attributes;
  InitializeObjectAttributes(&attributes, &name, OBJ_CASE_INSENSITIVE, nullptr, nullptr);
  HANDLE file = nullptr;
  IO_STATUS_BLOCK status = {};
  const bool opened = NtOpenFile(&file, FILE_READ_ATTRIBUTES | SYNCHRONIZE, &attributes, &status,
                                 FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                 FILE_SYNCHRONOUS_IO_NONALERT | FILE_OPEN_REPARSE_POINT) >= 0;
  return opened ? file : nullptr;
}

FileKind KindOf(HANDLE file, DWORD attributes) {
  switch (GetFileType(file)) {
    case FILE_TYPE_DISK:
      return (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0 ? FileKind::kDirectory
                                                          : FileKind::kRegular;
    case FILE_TYPE_PIPE:
      return FileKind::kFifo;
    default:
      return FileKind::kOther;
  }
}

// 0, or a libuv error number.
int FillReport(HANDLE file, FileReport* report, const char** failed_call) {
  *failed_call = "fstat";
  BY_HANDLE_FILE_INFORMATION information;
  if (!GetFileInformationByHandle(file, &information)) return LastUvError();
  report->kind = KindOf(file, information.dwFileAttributes);
  if (!ReadFileId(file, &report->id)) return LastUvError();
  report->modified_at_ms = MillisecondsSinceEpoch(information.ftLastWriteTime);
  report->size =
      (static_cast<uint64_t>(information.nFileSizeHigh) << 32) | information.nFileSizeLow;
  if (report->kind != FileKind::kRegular) return 0;

  *failed_call = "read";
  char buffer[kPidFileReadLimit];
  DWORD length = 0;
  OVERLAPPED from_the_start = {};
  if (!ReadFile(file, buffer, sizeof buffer, &length, &from_the_start) &&
      GetLastError() != ERROR_HANDLE_EOF) {
    return LastUvError();
  }
  report->content.assign(buffer, length);
  return 0;
}

bool Truncate(HANDLE file) {
  return Patiently([&] {
    FILE_END_OF_FILE_INFO end = {};
    return SetFileInformationByHandle(file, FileEndOfFileInfo, &end, sizeof end) != FALSE;
  });
}

// FILE_DISPOSITION_INFO_EX (Windows 10 1709), which older SDKs do not declare.
struct DispositionEx {
  DWORD flags;
};
constexpr auto kFileDispositionInfoEx = static_cast<FILE_INFO_BY_HANDLE_CLASS>(21);
constexpr DWORD kDelete = 1;
constexpr DWORD kPosixSemantics = 2;  // the name goes when this handle is closed, not the last one

// Deletes the very file that is open, whatever its path names by now.
bool Delete(HANDLE file) {
  return Patiently([&] {
    DispositionEx posix = {kDelete | kPosixSemantics};
    if (SetFileInformationByHandle(file, kFileDispositionInfoEx, &posix, sizeof posix)) return true;
    FILE_DISPOSITION_INFO disposition = {};
    disposition.DeleteFile = TRUE;
    return SetFileInformationByHandle(file, FileDispositionInfo, &disposition,
                                      sizeof disposition) != FALSE;
  });
}

// A name in the directory of `path` that nobody else uses.
std::wstring TemporaryPath(const std::wstring& path) {
  static std::atomic<unsigned> count{0};
  wchar_t name[64];
  std::swprintf(name, sizeof name / sizeof *name, L".daemoniker-%lu-%llx-%x", GetCurrentProcessId(),
                static_cast<unsigned long long>(WallMicroseconds()), ++count);
  return path.substr(0, path.find_last_of(L"\\/") + 1) + name;
}

// Whether what a handle with FILE_FLAG_OPEN_REPARSE_POINT has open stands for another file or
// directory: a symbolic link or a junction. Other reparse points (deduplicated or cloud files) are
// the file itself. One of which nobody can tell is a link.
bool IsLink(HANDLE file) {
  FILE_ATTRIBUTE_TAG_INFO tag = {};
  if (GetFileInformationByHandleEx(file, FileAttributeTagInfo, &tag, sizeof tag)) {
    return (tag.FileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0 &&
           IsReparseTagNameSurrogate(tag.ReparseTag);
  }
  BY_HANDLE_FILE_INFORMATION information = {};
  return !GetFileInformationByHandle(file, &information) ||
         (information.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0;
}

// Renames the very file that is open.
bool Rename(HANDLE file, const std::wstring& path) {
  const size_t length = path.size() * sizeof(wchar_t);
  std::vector<unsigned char> buffer(sizeof(FILE_RENAME_INFO) + length);
  auto* info = reinterpret_cast<FILE_RENAME_INFO*>(buffer.data());
  info->FileNameLength = static_cast<DWORD>(length);
  std::memcpy(info->FileName, path.data(), length);
  return Patiently([&] {
    return SetFileInformationByHandle(file, FileRenameInfo, info,
                                      static_cast<DWORD>(buffer.size())) != FALSE;
  });
}

}  // namespace

int ExaminePidFile(const std::string& path, FileReport* report, LockState* lock,
                   const char** failed_call) {
  *failed_call = "open";
  const std::wstring native_path = NativePath(path);
  if (NamesADevice(native_path)) {
    report->kind = NamesAPipe(native_path) ? FileKind::kFifo : FileKind::kOther;
    return 0;
  }
  const OwnedHandle named(OpenToLook(KernelPath(native_path)));
  // There are no numbers of owners.
  if (named.valid() && IsLink(named.get())) report->link_uid = 0;
  // Backup semantics: without them directories cannot be opened (MSDN, CreateFile).
  Patience patience;
  const OwnedHandle file(
      OpenShared(native_path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, &patience));
  if (!file.valid()) return LastUvError();
  const int error = FillReport(file.get(), report, failed_call);
  if (error != 0 || report->kind != FileKind::kRegular) return error;
  // Both as of one moment: what is written under the lock must not be taken for a file without one.
  for (;;) {
    *lock = TestPidFileLock(file.get());
    const int failed = FillReport(file.get(), report, failed_call);
    if (failed != 0 || *lock != LockState::kFree) return failed;
    if (TestPidFileLock(file.get()) != LockState::kHeld) return 0;
  }
}

void AtFork(void (*)()) {}

int PidFileHandle::Open(const std::string& path, bool* created) {
  const std::wstring native_path = NativePath(path);
  if (NamesADevice(native_path)) return uv::kEinval;
  // The link itself and not what it points to, so that it can be refused.
  constexpr DWORD kFlags = FILE_ATTRIBUTE_NORMAL | FILE_FLAG_OPEN_REPARSE_POINT;
  constexpr DWORD kReadWrite = GENERIC_READ | GENERIC_WRITE;
  Patience patience;
  const auto open = [&](DWORD access, DWORD disposition) {
    return OpenShared(native_path, access, disposition, kFlags, &patience);
  };
  // Whether it was missing is only known for sure with CREATE_NEW. Two rounds, because it may
  // appear or vanish in between.
  int error = 0;
  for (int round = 0; round < 2; ++round) {
    OwnedHandle file(open(kReadWrite | DELETE, CREATE_NEW));
    *created = file.valid();
    write_error_ = 0;
    if (!file.valid() && GetLastError() == ERROR_FILE_EXISTS) {
      file.Reset(open(kReadWrite | DELETE, OPEN_EXISTING));
      // Whoever may write a file may not always delete it.
      if (!file.valid() && GetLastError() == ERROR_ACCESS_DENIED) {
        file.Reset(open(kReadWrite, OPEN_EXISTING));
      }
      for (const DWORD access : {GENERIC_READ | DELETE, GENERIC_READ}) {
        if (file.valid() || GetLastError() != ERROR_ACCESS_DENIED) break;
        const int refused = LastUvError();
        file.Reset(open(access, OPEN_EXISTING));
        if (file.valid()) write_error_ = refused;
      }
    }
    if (file.valid()) {
      if (IsLink(file.get())) return uv::kEloop;
      native_ = reinterpret_cast<intptr_t>(file.Release());
      kernel_path_ = KernelPath(native_path);
      return 0;
    }
    const DWORD reason = GetLastError();
    error = LastUvError();
    const DWORD attributes = GetFileAttributesW(native_path.c_str());
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
      const OwnedHandle named(OpenToLook(KernelPath(native_path)));
      return named.valid() && IsLink(named.get()) ? uv::kEloop : uv::kEisdir;
    }
    if (reason != ERROR_FILE_NOT_FOUND) break;
  }
  return error;
}

void PidFileHandle::Close() {
  if (native_ != -1) CloseHandle(HandleOf(native_));
  native_ = -1;
}

LockState PidFileHandle::TryLock() {
  if (!IsWritable()) {
    const LockState state = TestPidFileLock(HandleOf(native_));
    return state == LockState::kFree ? LockState::kObstructed : state;
  }
  const LockState state = LockPidFile(HandleOf(native_));
  has_lock_ = state == LockState::kFree;
  return state;
}

int PidFileHandle::Report(FileReport* report) {
  const char* failed_call;
  return FillReport(HandleOf(native_), report, &failed_call);
}

int PidFileHandle::Write(const std::string& content) {
  const HANDLE file = HandleOf(native_);
  if (!Truncate(file)) return LastUvError();
  DWORD written = 0;
  OVERLAPPED at_the_start = {};
  if (!WriteFile(file, content.data(), static_cast<DWORD>(content.size()), &written,
                 &at_the_start)) {
    return LastUvError();
  }
  if (written != content.size()) {
    // A full disk took a part: that must not be read as another PID.
    Truncate(file);
    return uv::kEnospc;
  }
  // Otherwise others may see the old time until the file is closed (MSDN, "File Times").
  FILETIME now;
  GetSystemTimePreciseAsFileTime(&now);
  SetFileTime(file, nullptr, nullptr, &now);
  return 0;
}

int PidFileHandle::Replace(const std::string& path, const std::string& content,
                           const std::string& mark, Replaced* replaced) {
  *replaced = {};
  // Files have no mode here, and their lists of rights are for their owner to choose: what can be
  // locked is written in place.
  if (has_lock_) return 0;
  const HANDLE stale = HandleOf(native_);
  if (!BlockHolders(stale)) {
    if (TestPidFileLock(stale) == LockState::kHeld) replaced->result = Replacement::kLost;
    return 0;
  }
  // Deletes this file and no other, whatever its path names by now, so one of all who try succeeds
  // with CREATE_NEW afterwards. Renamed before: without POSIX semantics the name goes with the last
  // handle, perhaps that of somebody who reads it.
  const bool is_there = IsStillAt(path);
  const bool deleted = is_there && Rename(stale, TemporaryPath(NativePath(path))) && Delete(stale);
  UnblockHolders(stale);
  if (!is_there) replaced->result = Replacement::kLost;
  if (!deleted) return 0;
  Close();
  PidFileHandle fresh;
  bool created = false;
  replaced->open_error = fresh.Open(path, &created);
  if (replaced->open_error != 0) return 0;
  replaced->result = Replacement::kLost;
  if (!created) return 0;
  replaced->lock = fresh.TryLock();
  const bool is_locked = replaced->lock == LockState::kFree;
  if (!is_locked && replaced->lock != LockState::kUnsupported) return 0;
  const int unwritten = fresh.Write(is_locked ? content + mark : content);
  if (unwritten != 0) {
    fresh.Remove(path);
    replaced->result = Replacement::kImpossible;
    return unwritten;
  }
  replaced->result = Replacement::kDone;
  native_ = fresh.native_;
  write_error_ = 0;
  has_lock_ = fresh.has_lock_;
  fresh.native_ = -1;
  return 0;
}

bool PidFileHandle::IsStillAt(const std::string&) {
  FILE_STANDARD_INFO standard = {};
  if (GetFileInformationByHandleEx(HandleOf(native_), FileStandardInfo, &standard,
                                   sizeof standard) &&
      standard.DeletePending) {
    return false;
  }
  const OwnedHandle named(OpenToLook(kernel_path_));
  FileId held_id;
  FileId named_id;
  return named.valid() && ReadFileId(HandleOf(native_), &held_id) &&
         ReadFileId(named.get(), &named_id) && held_id == named_id;
}

void PidFileHandle::Remove(const std::string& path) {
  if (!IsStillAt(path)) return;
  // The name goes with the handle, and the process may live on for a moment.
  if (Delete(HandleOf(native_)))
    Close();
  else
    Truncate(HandleOf(native_));
}

}  // namespace daemoniker
