// Errors of Windows in the numbers of libuv, which util.getSystemErrorName() understands. They are
// fixed numbers on Windows, unlike on Unix (libuv: include/uv/errno.h).
#pragma once

namespace daemoniker {

namespace uv {
constexpr int kEaddrinuse = -4091;
constexpr int kEagain = -4088;
constexpr int kEbadf = -4083;
constexpr int kEbusy = -4082;
constexpr int kEacces = -4092;
constexpr int kEexist = -4075;
constexpr int kEinval = -4071;
constexpr int kEio = -4070;
constexpr int kEisdir = -4068;
constexpr int kEloop = -4067;
constexpr int kEmfile = -4066;
constexpr int kEnametoolong = -4064;
constexpr int kEnoent = -4058;
constexpr int kEnomem = -4057;
constexpr int kEnospc = -4055;
constexpr int kEnosys = -4054;
constexpr int kEnotsup = -4049;
constexpr int kEperm = -4048;
constexpr int kEpipe = -4047;
constexpr int kEproto = -4046;
constexpr int kErofs = -4043;
constexpr int kEsrch = -4040;
constexpr int kEtimedout = -4039;
constexpr int kUnknown = -4094;
}  // namespace uv

// `error` is what GetLastError() said. The same choices as libuv's uv_translate_sys_error().
int UvError(unsigned long error);

// UvError(GetLastError()), and never 0.
int LastUvError();

}  // namespace daemoniker
