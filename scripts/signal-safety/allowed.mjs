// What the signal handler may use, and who says so. Whatever is not here is not allowed.

/** Functions that are not ours. */
export const ALLOWED = {
  clock_gettime: 'signal-safety(7)',
  getpid: 'signal-safety(7)',
  raise: 'signal-safety(7)',
  sigaction: 'signal-safety(7)',
  write: 'signal-safety(7)',
  // The compiler calls it to set a structure to zero.
  memset: 'signal-safety(7), since POSIX.1-2008 TC2',
  memcpy: 'signal-safety(7), since POSIX.1-2008 TC2',
  // What the macro errno is.
  __errno_location: 'POSIX.1-2017, 2.4.3: a handler that keeps errno may use it (glibc, musl)',
  __error: 'POSIX.1-2017, 2.4.3: a handler that keeps errno may use it (macOS)',
};

/** Families of functions of the compiler's own. */
export const ALLOWED_PATTERNS = [
  {
    pattern: /^llvm\.(?:lifetime\.(?:start|end)|mem(?:cpy|set))\.p0/,
    source: 'LLVM Language Reference Manual: a mark, or memcpy() or memset() as above',
  },
  {
    pattern: /^__aarch64_(?:cas|swp|ldadd|ldclr|ldset)[1248]_(?:relax|acq|rel|acq_rel)$/,
    source: 'GCC manual, -moutline-atomics: one atomic instruction, or a loop of two',
  },
];

/**
 * Functions of ours that may call through a pointer, which no call graph can follow. The pattern is
 * that of the name as c++filt shows it.
 */
export const MAY_CALL_POINTERS = [
  {
    pattern: /::RunSavedDisposition\(/,
    reason: 'calls the handler that was there before ours, which was made to be called like that',
  },
];
