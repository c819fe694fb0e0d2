// What two parts of the native code may use, and who says so. Whatever is not here is not allowed.
//
// A rule's `functions` are not ours; `by` names those of our own that may call one, where not all may.
// `mayCallPointers` are our own functions that may call through a pointer, which no call graph can
// follow. Patterns are of names as c++filt shows them.

/** The compiler's own, or what it may call without being told to. */
const COMPILERS = {
  memset: 'signal-safety(7), since POSIX.1-2008 TC2',
  memcpy: 'signal-safety(7), since POSIX.1-2008 TC2',
  // What the macro errno is.
  __errno_location: 'POSIX.1-2017, 2.4.3: a handler that keeps errno may use it (glibc, musl)',
  __error: 'POSIX.1-2017, 2.4.3: a handler that keeps errno may use it (macOS)',
};

const PATTERNS = [
  {
    pattern: /^llvm\.(?:lifetime\.(?:start|end)|mem(?:cpy|set))\.p0/,
    source: 'LLVM Language Reference Manual: a mark, or memcpy() or memset() as above',
  },
  { pattern: /^llvm\.assume$/, source: 'LLVM Language Reference Manual: no code' },
  {
    pattern: /^__aarch64_(?:cas|swp|ldadd|ldclr|ldset)[1248]_(?:relax|acq|rel|acq_rel)$/,
    source: 'GCC manual, -moutline-atomics: one atomic instruction, or a loop of two',
  },
];

/**
 * The signal handler: only what is async-signal-safe. Of that, no cancellation point either, such as
 * open(3), read(3), write(3) and close(3): a thread that is being cancelled would end in the handler
 * (pthreads(7)).
 */
export const HANDLER = {
  functions: {
    ...COMPILERS,
    clock_gettime: 'signal-safety(7)',
    getpid: 'signal-safety(7)',
    raise: 'signal-safety(7)',
    sigaction: 'signal-safety(7)',
    syscall: {
      source: 'syscall(2): the system call and errno. These do not wait, or only for /proc',
      by: [
        /^daemoniker::Wakeup::Notify\(/, // futex(2), FUTEX_WAKE
        /^daemoniker::proc::Read\(/,
        /^daemoniker::proc::ReadLink\(/,
        /^daemoniker::RaiseOnThisThread\(/, // tgkill(2)
      ],
    },
    semaphore_signal: 'XNU, osfmk/mach/semaphore.h: one Mach trap',
    proc_pidinfo: "Apple's Libc, darwin/libproc.c: the system call and errno",
  },
  patterns: PATTERNS,
  mayCallPointers: [
    {
      pattern: /::RunFallback\(/,
      reason: 'calls the handler that was there before ours, which was made to be called like that',
    },
    {
      pattern: /::PendingSignals::NameSender</,
      reason: 'calls what it is given, which is followed from where its address is taken',
    },
  ],
};

/**
 * The thread that ends the process whatever the other threads hold: nothing that allocates, takes a
 * lock, makes a thread or looks up a symbol, and no Node-API. It takes no signals and is never
 * cancelled.
 */
export const WATCHER = {
  functions: {
    ...COMPILERS,
    clock_gettime: 'signal-safety(7)',
    close: 'signal-safety(7)',
    fstat: 'signal-safety(7)',
    ftruncate: 'signal-safety(7)',
    lstat: 'signal-safety(7)',
    open: 'signal-safety(7)',
    poll: 'signal-safety(7)',
    pthread_sigmask: 'signal-safety(7)',
    raise: 'signal-safety(7)',
    send: 'signal-safety(7)',
    sigaction: 'signal-safety(7)',
    sigaddset: 'signal-safety(7)',
    sigemptyset: 'signal-safety(7)',
    strlen: 'signal-safety(7), since POSIX.1-2008 TC2',
    strrchr: 'signal-safety(7), since POSIX.1-2008 TC2',
    unlink: 'signal-safety(7)',
    write: 'signal-safety(7)',
    _exit: 'signal-safety(7)',
    syscall: {
      source: 'syscall(2): the system call and errno',
      by: [
        /^daemoniker::Wakeup::(?:Notify|Wait)\(/, // futex(2)
        /^daemoniker::proc::Read\(/,
      ],
    },
    // Nothing but %s and %lld is written with it, into buffers of our own: wide characters, floating
    // point and numbered arguments are what allocates (glibc, stdio-common/vfprintf-internal.c; musl,
    // src/stdio/vfprintf.c; Apple's Libc, stdio/FreeBSD/vfprintf.c).
    snprintf: 'its stream is a local variable, which nobody else locks',
    // Nobody waits for a lock here: without it, the PID files stay.
    pthread_mutex_trylock: 'pthread_mutex_trylock(3): returns at once',
    pthread_mutex_unlock: 'pthread_mutex_unlock(3): of what the line above has locked',
    _ZNSt3__15mutex8try_lockEv: 'libc++, std::mutex::try_lock(): pthread_mutex_trylock(3)',
    _ZNSt3__15mutex6unlockEv: 'libc++, std::mutex::unlock(): pthread_mutex_unlock(3)',
    _ZSt20__throw_system_errori: 'libstdc++, std::unique_lock::unlock(): if it owns no lock',
    _ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEE5c_strEv: 'libstdc++: reads a pointer',
    semaphore_signal: 'XNU, osfmk/mach/semaphore.h: one Mach trap',
    semaphore_timedwait: 'XNU, osfmk/mach/semaphore.h: one Mach trap',
    semaphore_wait: 'XNU, osfmk/mach/semaphore.h: one Mach trap',
    thread_info: 'XNU, osfmk/mach/thread_act.defs: a Mach message, made on the stack',
  },
  patterns: PATTERNS,
  mayCallPointers: [
    {
      pattern: /^daemoniker::Thread::Run\(/,
      reason: "calls what the thread was started for: the watcher's is walked from there",
    },
    {
      pattern: /^daemoniker::standard_error::WriteOrHang\(/,
      reason:
        'calls nothing for the watcher, and ClaimLine(), an atomic exchange, for the messenger',
    },
    {
      pattern: /^daemoniker::end::ResetTerminal\(/,
      reason: 'calls uv_tty_reset_mode(), which libuv documents as async-signal-safe',
    },
  ],
};
