// What a platform must provide: two files that change places at once.
//
//   native/linux/exchange.cc    renameat2(2), RENAME_EXCHANGE: not on every file system
//   native/darwin/exchange.cc   renamex_np(2), RENAME_SWAP: APFS
#pragma once

namespace daemoniker {

// 0, or a libuv error number.
int Exchange(const char* one, const char* other);

// Whether such an error only means that this cannot be done here.
bool CannotExchange(int error);

}  // namespace daemoniker
