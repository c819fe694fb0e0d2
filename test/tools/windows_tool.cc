// What the Windows tests need from the system and JavaScript cannot do.
//
//   windows_tool control <pid> <event>
//       The console control event arrives at that process, as the console would have it: its
//       control routine runs on a new thread of the process. Says whether that has returned soon
//       ("returned") or not ("held").
//   windows_tool end-session <pid>
//       Its session ends: every top-level window of the process is told so.
//   windows_tool close <pid>
//       All its windows are asked to close, visible or not.
//   windows_tool quit <pid>
//       The thread of each of its windows gets WM_QUIT.
//   windows_tool console <event> <file> <command line>
//       Runs the command in a new console, and once <file> exists, generates the event for that
//       console. Exits as the command does.
//   windows_tool hold-heap <pid>
//       A thread of that process takes the lock of its heap and ends: whatever allocates there is
//       stuck from now on.
//   windows_tool usage <pid>
//       Writes how many handles and threads that process has.
//   windows_tool lock <file> one|all
//       Has the byte locked, for reading, by which a daemon holds its PID file, or all those that say
//       who it is (native/win32/file_lock.h), for itself alone. Says so as the fixtures do, and runs
//       until it is killed.
//   windows_tool hide-windows <pid>
//       That process looks in vain for the function of user32.dll that makes windows.
//   windows_tool hold <file>
//       Has the file open and shares it with nobody. Says so as the fixtures do, and lets go of it
//       100 ms after a byte has come on stdin.
//   windows_tool pipe <pid>
//       A pipe of that process's name that accepts a client and never answers, under each of the
//       names that it could have; "own" for the tool's own. Says so as the fixtures do, and runs
//       until it is killed.
//   windows_tool describe-pipe <pid>
//       Writes the name of that process's pipe, and who may use it, as a security descriptor string.
//   windows_tool low <command line>
//       Runs the command at the low integrity level. Exits as the command does.
#include <windows.h>
// After windows.h, which they need.
#include <aclapi.h>
#include <sddl.h>
#include <tlhelp32.h>
#include <winternl.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <cwchar>
#include <string>
#include <thread>

namespace {

int Fail(const char* what) {
  std::fprintf(stderr, "%s: error %lu\n", what, GetLastError());
  return 1;
}

// `routine` is a function of the system's, which is at the same address in all processes of one
// architecture.
HANDLE StartRemotely(HANDLE process, FARPROC routine, void* argument) {
  return CreateRemoteThread(
      process, nullptr, 0,
      reinterpret_cast<LPTHREAD_START_ROUTINE>(reinterpret_cast<void (*)()>(routine)), argument, 0,
      nullptr);
}

int Control(DWORD pid, DWORD event) {
  const HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, pid);
  if (process == nullptr) return Fail("OpenProcess");
  FARPROC routine = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "CtrlRoutine");
  if (routine == nullptr) {
    routine = GetProcAddress(GetModuleHandleW(L"kernelbase.dll"), "CtrlRoutine");
  }
  if (routine == nullptr) return Fail("CtrlRoutine");
  const HANDLE thread =
      StartRemotely(process, routine, reinterpret_cast<void*>(static_cast<ULONG_PTR>(event)));
  if (thread == nullptr) return Fail("CreateRemoteThread");
  const HANDLE ends[] = {thread, process};
  const bool returned = WaitForMultipleObjects(2, ends, FALSE, 1000) != WAIT_TIMEOUT;
  std::printf("%s", returned ? "returned" : "held");
  return 0;
}

struct Search {
  DWORD pid;
  int found;
};

BOOL CALLBACK EndSession(HWND window, LPARAM raw) {
  auto* search = reinterpret_cast<Search*>(raw);
  DWORD pid = 0;
  GetWindowThreadProcessId(window, &pid);
  wchar_t name[64] = L"";
  GetClassNameW(window, name, 64);
  if (pid != search->pid || std::wcscmp(name, L"daemoniker.SessionWindow") != 0) return TRUE;
  ++search->found;
  DWORD_PTR agrees = 0;
  if (SendMessageTimeoutW(window, WM_QUERYENDSESSION, 0, 0, SMTO_NORMAL, 5000, &agrees) &&
      agrees != 0) {
    // Does not return before the process ends: that is what is being tested.
    SendNotifyMessageW(window, WM_ENDSESSION, TRUE, 0);
  }
  return TRUE;
}

BOOL CALLBACK Close(HWND window, LPARAM raw) {
  auto* search = reinterpret_cast<Search*>(raw);
  DWORD pid = 0;
  GetWindowThreadProcessId(window, &pid);
  if (pid != search->pid) return TRUE;
  ++search->found;
  PostMessageW(window, WM_CLOSE, 0, 0);
  return TRUE;
}

BOOL CALLBACK Quit(HWND window, LPARAM raw) {
  auto* search = reinterpret_cast<Search*>(raw);
  DWORD pid = 0;
  const DWORD thread = GetWindowThreadProcessId(window, &pid);
  if (pid == search->pid && PostThreadMessageW(thread, WM_QUIT, 0, 0)) ++search->found;
  return TRUE;
}

int QuitThreadsOf(DWORD pid) {
  Search search = {pid, 0};
  EnumWindows(Quit, reinterpret_cast<LPARAM>(&search));
  return search.found > 0 ? 0 : Fail("no window");
}

// As taskkill without /F.
int CloseWindowsOf(DWORD pid) {
  Search search = {pid, 0};
  EnumWindows(Close, reinterpret_cast<LPARAM>(&search));
  return search.found > 0 ? 0 : Fail("no window");
}

int EndSessionOf(DWORD pid) {
  Search search = {pid, 0};
  EnumWindows(EndSession, reinterpret_cast<LPARAM>(&search));
  return search.found == 1 ? 0 : Fail("no window");
}

BOOL WINAPI Ignore(DWORD) { return TRUE; }

int RunInConsole(DWORD event, const wchar_t* file, wchar_t* command) {
  STARTUPINFOW startup = {};
  startup.cb = sizeof startup;
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  FreeConsole();
  if (!AllocConsole()) return Fail("AllocConsole");
  ShowWindow(GetConsoleWindow(), SW_HIDE);
  PROCESS_INFORMATION process = {};
  if (!CreateProcessW(nullptr, command, nullptr, nullptr, TRUE, 0, nullptr, nullptr, &startup,
                      &process)) {
    return Fail("CreateProcess");
  }
  // After that, because children inherit it.
  SetConsoleCtrlHandler(Ignore, TRUE);
  while (GetFileAttributesW(file) == INVALID_FILE_ATTRIBUTES) {
    if (WaitForSingleObject(process.hProcess, 20) == WAIT_OBJECT_0) break;
  }
  if (!GenerateConsoleCtrlEvent(event, 0)) return Fail("GenerateConsoleCtrlEvent");
  WaitForSingleObject(process.hProcess, INFINITE);
  DWORD exit_code = 1;
  GetExitCodeProcess(process.hProcess, &exit_code);
  return static_cast<int>(exit_code);
}

int HoldHeapOf(DWORD pid) {
  const HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, pid);
  if (process == nullptr) return Fail("OpenProcess");
  using Query = LONG(WINAPI*)(HANDLE, PROCESSINFOCLASS, void*, ULONG, ULONG*);
  const HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
  const auto query = reinterpret_cast<Query>(
      reinterpret_cast<void (*)()>(GetProcAddress(ntdll, "NtQueryInformationProcess")));
  PROCESS_BASIC_INFORMATION information = {};
  if (query == nullptr || query(process, ProcessBasicInformation, &information, sizeof information,
                                nullptr) != 0) {
    return Fail("NtQueryInformationProcess");
  }
  // PEB.ProcessHeap, the seventh word.
  const auto* words = reinterpret_cast<void* const*>(information.PebBaseAddress);
  void* heap = nullptr;
  if (!ReadProcessMemory(process, words + 6, &heap, sizeof heap, nullptr)) return Fail("the heap");
  const FARPROC routine = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "HeapLock");
  const HANDLE thread = routine == nullptr ? nullptr : StartRemotely(process, routine, heap);
  if (thread == nullptr) return Fail("HeapLock");
  WaitForSingleObject(thread, INFINITE);
  DWORD locked = FALSE;
  return GetExitCodeThread(thread, &locked) && locked ? 0 : Fail("HeapLock");
}

int Usage(DWORD pid) {
  const HANDLE process = OpenProcess(PROCESS_QUERY_INFORMATION, FALSE, pid);
  DWORD handles = 0;
  if (process == nullptr || !GetProcessHandleCount(process, &handles)) return Fail("handles");
  const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
  if (snapshot == INVALID_HANDLE_VALUE) return Fail("threads");
  int threads = 0;
  THREADENTRY32 entry = {};
  entry.dwSize = sizeof entry;
  for (BOOL more = Thread32First(snapshot, &entry); more; more = Thread32Next(snapshot, &entry)) {
    if (entry.th32OwnerProcessID == pid) ++threads;
  }
  std::printf("%lu %d", handles, threads);
  return 0;
}

int LockFileOf(const wchar_t* path, bool all) {
  const HANDLE file =
      CreateFileW(path, GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, nullptr,
                  OPEN_EXISTING, 0, nullptr);
  if (file == INVALID_HANDLE_VALUE) return Fail("CreateFile");
  constexpr ULONGLONG kHolders = ULONGLONG{1} << 62;
  const ULONGLONG offset = all ? kHolders : kHolders - 1;
  const ULONGLONG length = all ? kHolders - 1 : 1;
  OVERLAPPED where = {};
  where.Offset = static_cast<DWORD>(offset);
  where.OffsetHigh = static_cast<DWORD>(offset >> 32);
  if (!LockFileEx(file, LOCKFILE_FAIL_IMMEDIATELY | (all ? LOCKFILE_EXCLUSIVE_LOCK : 0), 0,
                  static_cast<DWORD>(length), static_cast<DWORD>(length >> 32), &where)) {
    return Fail("LockFileEx");
  }
  std::printf("{\"event\":\"locked\"}\n");
  std::fflush(stdout);
  Sleep(INFINITE);
  return 0;
}

// Spoils the name in the table of exports.
int HideWindowsFrom(DWORD pid) {
  const HANDLE process = OpenProcess(PROCESS_ALL_ACCESS, FALSE, pid);
  if (process == nullptr) return Fail("OpenProcess");
  const HANDLE snapshot = CreateToolhelp32Snapshot(TH32CS_SNAPMODULE, pid);
  MODULEENTRY32W entry = {};
  entry.dwSize = sizeof entry;
  BOOL more = Module32FirstW(snapshot, &entry);
  while (more && _wcsicmp(entry.szModule, L"user32.dll") != 0) {
    more = Module32NextW(snapshot, &entry);
  }
  if (!more) return Fail("user32.dll");
  // Our own copy of it has the same tables.
  const auto* own = reinterpret_cast<const BYTE*>(LoadLibraryW(L"user32.dll"));
  const auto* dos = reinterpret_cast<const IMAGE_DOS_HEADER*>(own);
  const auto* nt = reinterpret_cast<const IMAGE_NT_HEADERS*>(own + dos->e_lfanew);
  const IMAGE_DATA_DIRECTORY& directory =
      nt->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXPORT];
  const auto* exports =
      reinterpret_cast<const IMAGE_EXPORT_DIRECTORY*>(own + directory.VirtualAddress);
  const auto* names = reinterpret_cast<const DWORD*>(own + exports->AddressOfNames);
  for (DWORD index = 0; index < exports->NumberOfNames; ++index) {
    if (std::strcmp(reinterpret_cast<const char*>(own + names[index]), "CreateWindowExW") != 0) {
      continue;
    }
    BYTE* name = entry.modBaseAddr + names[index] + std::strlen("CreateWindowEx");
    DWORD before = 0;
    if (!VirtualProtectEx(process, name, 1, PAGE_EXECUTE_READWRITE, &before) ||
        !WriteProcessMemory(process, name, "_", 1, nullptr)) {
      return Fail("WriteProcessMemory");
    }
    return 0;
  }
  return Fail("CreateWindowExW");
}

int HoldFile(const wchar_t* path) {
  const HANDLE file =
      CreateFileW(path, GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING, 0, nullptr);
  if (file == INVALID_HANDLE_VALUE) return Fail("CreateFile");
  std::printf("{\"event\":\"holding\"}\n");
  std::fflush(stdout);
  std::getchar();
  Sleep(100);
  CloseHandle(file);
  return 0;
}

// native/win32/signal_pipe_client.cc; the last one is for everybody.
constexpr const wchar_t* kPlaces[] = {
    L"ProtectedPrefix\\Administrators\\",
    L"ProtectedPrefix\\LocalService\\",
    L"ProtectedPrefix\\NetworkService\\",
    L"",
};

std::wstring PipeName(const wchar_t* place, DWORD pid) {
  return L"\\\\.\\pipe\\" + std::wstring(place) + L"daemoniker-" + std::to_wstring(pid);
}

int ServePipes(DWORD pid) {
  HANDLE pipe = INVALID_HANDLE_VALUE;
  for (const wchar_t* place : kPlaces) {
    pipe = CreateNamedPipeW(PipeName(place, pid).c_str(), PIPE_ACCESS_DUPLEX,
                            PIPE_TYPE_MESSAGE | PIPE_READMODE_MESSAGE | PIPE_WAIT, 1, 64, 64, 0,
                            nullptr);
    if (pipe != INVALID_HANDLE_VALUE) {
      std::thread([pipe] { ConnectNamedPipe(pipe, nullptr); }).detach();
    }
  }
  // Not everybody may have the others.
  if (pipe == INVALID_HANDLE_VALUE) return Fail("CreateNamedPipe");
  std::printf("{\"event\":\"ready\"}\n");
  std::fflush(stdout);
  Sleep(INFINITE);
  return 0;
}

int DescribePipeOf(DWORD pid) {
  for (const wchar_t* place : kPlaces) {
    const std::wstring name = PipeName(place, pid);
    const HANDLE pipe =
        CreateFileW(name.c_str(), READ_CONTROL, 0, nullptr, OPEN_EXISTING, 0, nullptr);
    if (pipe == INVALID_HANDLE_VALUE) continue;
    constexpr SECURITY_INFORMATION kWhat = DACL_SECURITY_INFORMATION | LABEL_SECURITY_INFORMATION;
    PSECURITY_DESCRIPTOR rules = nullptr;
    const DWORD error = GetSecurityInfo(pipe, SE_KERNEL_OBJECT, kWhat, nullptr, nullptr, nullptr,
                                        nullptr, &rules);
    SetLastError(error);
    wchar_t* text = nullptr;
    if (error != ERROR_SUCCESS || !ConvertSecurityDescriptorToStringSecurityDescriptorW(
                                      rules, SDDL_REVISION_1, kWhat | SACL_SECURITY_INFORMATION, &text,
                                      nullptr)) {
      return Fail("GetSecurityInfo");
    }
    std::printf("%ls %ls", name.c_str(), text);
    return 0;
  }
  return Fail("no pipe");
}

int RunAtLowIntegrity(wchar_t* command) {
  HANDLE own = nullptr;
  HANDLE low = nullptr;
  if (!OpenProcessToken(GetCurrentProcess(), MAXIMUM_ALLOWED, &own) ||
      !DuplicateTokenEx(own, MAXIMUM_ALLOWED, nullptr, SecurityImpersonation, TokenPrimary, &low)) {
    return Fail("the token");
  }
  TOKEN_MANDATORY_LABEL label = {};
  label.Label.Attributes = SE_GROUP_INTEGRITY;
  if (!ConvertStringSidToSidW(L"S-1-16-4096", &label.Label.Sid) ||
      !SetTokenInformation(low, TokenIntegrityLevel, &label,
                           static_cast<DWORD>(sizeof label) + GetLengthSid(label.Label.Sid))) {
    return Fail("the integrity level");
  }
  STARTUPINFOW startup = {};
  startup.cb = sizeof startup;
  startup.dwFlags = STARTF_USESTDHANDLES;
  startup.hStdInput = GetStdHandle(STD_INPUT_HANDLE);
  startup.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
  startup.hStdError = GetStdHandle(STD_ERROR_HANDLE);
  PROCESS_INFORMATION process = {};
  if (!CreateProcessAsUserW(low, nullptr, command, nullptr, nullptr, TRUE, 0, nullptr, nullptr,
                            &startup, &process)) {
    return Fail("CreateProcessAsUser");
  }
  WaitForSingleObject(process.hProcess, INFINITE);
  DWORD exit_code = 1;
  GetExitCodeProcess(process.hProcess, &exit_code);
  return static_cast<int>(exit_code);
}

}  // namespace

int wmain(int count, wchar_t** words) {
  const std::wstring command = count > 1 ? words[1] : L"";
  const auto number = [&](int index) {
    return static_cast<DWORD>(std::wcstoul(words[index], nullptr, 10));
  };
  if (command == L"control" && count == 4) return Control(number(2), number(3));
  if (command == L"pipe" && count == 3) {
    return ServePipes(words[2] == std::wstring(L"own") ? GetCurrentProcessId() : number(2));
  }
  if (command == L"lock" && count == 4) return LockFileOf(words[2], words[3] == std::wstring(L"all"));
  if (command == L"hide-windows" && count == 3) return HideWindowsFrom(number(2));
  if (command == L"hold" && count == 3) return HoldFile(words[2]);
  if (command == L"describe-pipe" && count == 3) return DescribePipeOf(number(2));
  if (command == L"low" && count == 3) return RunAtLowIntegrity(words[2]);
  if (command == L"quit" && count == 3) return QuitThreadsOf(number(2));
  if (command == L"hold-heap" && count == 3) return HoldHeapOf(number(2));
  if (command == L"usage" && count == 3) return Usage(number(2));
  if (command == L"end-session" && count == 3) return EndSessionOf(number(2));
  if (command == L"close" && count == 3) return CloseWindowsOf(number(2));
  if (command == L"console" && count == 5) return RunInConsole(number(2), words[3], words[4]);
  std::fprintf(stderr, "windows_tool: wrong usage\n");
  return 2;
}
