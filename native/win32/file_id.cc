#include "win32/file_id.h"

#include <cstring>

namespace daemoniker {

bool ReadFileId(HANDLE file, FileId* id) {
  FILE_ID_INFO wide = {};
  if (GetFileInformationByHandleEx(file, FileIdInfo, &wide, sizeof wide)) {
    // 128 bits; the upper half is 0 on NTFS and used by ReFS.
    uint64_t halves[2];
    static_assert(sizeof halves == sizeof wide.FileId);
    std::memcpy(halves, &wide.FileId, sizeof halves);
    *id = {wide.VolumeSerialNumber, halves[0] ^ halves[1]};
    return true;
  }
  // File systems that know no FILE_ID_INFO: FAT, some network shares.
  BY_HANDLE_FILE_INFORMATION information;
  if (!GetFileInformationByHandle(file, &information)) return false;
  *id = {information.dwVolumeSerialNumber,
         (static_cast<uint64_t>(information.nFileIndexHigh) << 32) | information.nFileIndexLow};
  return true;
}

}  // namespace daemoniker
