#include "win32/error_codes.h"

#include <windows.h>

namespace daemoniker {

int UvError(unsigned long error) {
  switch (error) {
    case ERROR_SUCCESS:
      return 0;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
      return uv::kEperm;
    case ERROR_CANT_ACCESS_FILE:
    case ERROR_NOACCESS:
      return uv::kEacces;
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
    case ERROR_BAD_NETPATH:
    case ERROR_BAD_NET_NAME:
    case ERROR_BAD_PATHNAME:
    case ERROR_DIRECTORY:
    case ERROR_INVALID_DRIVE:
    case ERROR_INVALID_NAME:
    case ERROR_MOD_NOT_FOUND:
      return uv::kEnoent;
    case ERROR_ALREADY_EXISTS:
    case ERROR_FILE_EXISTS:
      return uv::kEexist;
    case ERROR_LOCK_VIOLATION:
    case ERROR_PIPE_BUSY:
    case ERROR_SHARING_VIOLATION:
      return uv::kEbusy;
    case ERROR_DISK_FULL:
    case ERROR_HANDLE_DISK_FULL:
      return uv::kEnospc;
    case ERROR_WRITE_PROTECT:
      return uv::kErofs;
    case ERROR_FILENAME_EXCED_RANGE:
    case ERROR_BUFFER_OVERFLOW:
      return uv::kEnametoolong;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
    case ERROR_NO_SYSTEM_RESOURCES:
    case ERROR_NOT_ENOUGH_QUOTA:
      return uv::kEnomem;
    case ERROR_TOO_MANY_OPEN_FILES:
      return uv::kEmfile;
    case ERROR_INVALID_HANDLE:
      return uv::kEbadf;
    case ERROR_INVALID_PARAMETER:
    case ERROR_INVALID_DATA:
      return uv::kEinval;
    case ERROR_NOT_SUPPORTED:
      return uv::kEnotsup;
    case ERROR_INVALID_FUNCTION:
      return uv::kEisdir;
    case ERROR_BROKEN_PIPE:
    case ERROR_NO_DATA:
    case ERROR_PIPE_NOT_CONNECTED:
      return uv::kEpipe;
    case ERROR_SEM_TIMEOUT:
    case WAIT_TIMEOUT:
      return uv::kEtimedout;
    case ERROR_CANT_RESOLVE_FILENAME:
      return uv::kEloop;
    case ERROR_CRC:
    case ERROR_GEN_FAILURE:
    case ERROR_IO_DEVICE:
      return uv::kEio;
    default:
      return uv::kUnknown;
  }
}

int LastUvError() {
  const int error = UvError(GetLastError());
  return error != 0 ? error : uv::kUnknown;
}

}  // namespace daemoniker
