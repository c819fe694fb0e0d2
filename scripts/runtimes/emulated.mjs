// What an emulated runtime runs: it is ten times slower than a real one, and the whole suite would
// take half an hour. These are the tests of whatever may depend on the machine: every row of the
// documented interface (README.md), and each way of the native code. All run in the emulated process
// itself; the names are the full ones, and one that names no test fails the run.
export const EMULATED = [
  {
    what: 'the handlers: custom, default, IGNORE_SIGNAL, assigned and deleted; start() and stop()',
    file: 'handlers',
    tests: [
      'SignalHandler1 calls each handler for its own signal, with exactly one argument, its number',
      'SignalHandler1 receives nothing before start(): a signal then does what it does without us',
      'SignalHandler1 receives nothing after stop()',
      'SignalHandler1 start() returns the handler; a second start() is a SignalError that changes nothing',
      'SignalHandler1 stop() is idempotent, start() works again after it, and so does `using`',
      'SignalHandler1 takes new handlers, the default and IGNORE_SIGNAL while it runs',
    ],
  },
  {
    what: 'the default handlers raise; the process dies by the signal where nobody listens',
    file: 'raising',
    tests: [
      'the default handler, where somebody listens reaches uncaughtException with the record of SIGINT, and the process lives on',
      'the default handler, where somebody listens reaches uncaughtException with the record of SIGABRT, and the process lives on',
      'the default handler, where nobody listens says that it was SIGTERM and from whom, runs the exit listeners and dies by the signal',
    ],
  },
  {
    what: 'send(): by name and number, to itself, never to an unrelated process; PID files that lock or do not',
    file: 'send_identity',
    tests: [
      'a process that started after the file was written has its number by chance ERR_PID_FILE_STALE with both times, and nothing is signalled',
      'a process that is gone is ESRCH, with path and PID',
      'a process can signal itself',
      'on Linux daemons that lock in other ways a ofd lock held by the named process makes it the one, whatever the time',
      'on Linux daemons that lock in other ways a ofd lock held by another process than the named one: ERR_PID_FILE_FOREIGN',
    ],
  },
  {
    what: 'the command line, through send(), terminate() and ping()',
    file: 'cli',
    tests: [
      'status, with the exit codes of the Linux Standard Base 0: running',
      'send ["SIGINT"]',
      'send ["15"]',
      'stop waits until the daemon is gone',
    ],
  },
  {
    what: 'the PID file, and its lock',
    file: 'pid_file_start',
    tests: [
      'a missing file is created with one line, the PID, and removed by stop()',
      'a file that names a process that is gone is replaced, and removed by stop()',
      'a file that names another live daemon which holds it: ERR_PID_FILE_LOCKED with its pid, and nothing is changed',
      'on Linux the file is locked by this process until stop()',
      'on Linux children inherit neither the descriptor nor the lock',
    ],
  },
  {
    what: 'from the arrival of a signal to JavaScript: order, counts, what waits at stop()',
    file: 'coalescing',
    tests: [
      'signals that wait are coalesced with others of the same kind, and counted; different ones are not',
      'signals that wait are handled in order of arrival: SIGTERM, SIGINT, SIGABRT',
      'stop() delivers synchronously what waits, in order, and nothing afterwards',
    ],
  },
  {
    what: 'the event loop is kept alive only when asked to',
    file: 'event_loop',
    tests: [
      'an otherwise empty event loop ends although a handler runs',
      'ref() keeps the process alive until unref()',
    ],
  },
  {
    what: 'the sender and the origin, out of siginfo',
    file: 'sender',
    tests: [
      'a signal by kill(2) names the process, its user and its command',
      'a signal by raise(3) names ourselves and the origin "thread"',
      'a signal by sigqueue(3) names the process and the origin "queue"',
      'a sender that is not to be found by a timer (SI_TIMER) is the kernel, without a sender',
    ],
  },
  {
    what: 'terminate()',
    file: 'terminate',
    tests: [
      'how it ends exited: the daemon ended when it was asked to',
      'how it ends timeout: it did not, and is still running',
      'how it ends killed: it did not, and had to',
      'how it ends not-running: its process is gone',
    ],
  },
  {
    what: 'deadlines',
    file: 'deadline',
    tests: [
      'a blocked event loop ends the process by SIGTERM itself, at the deadline',
      'nothing is ended by a signal that is ignored',
      'nothing is ended while the process is stopped',
    ],
  },
  {
    what: 'exitWithin()',
    file: 'exit_within',
    tests: [
      'the process is terminated by SIGTERM in time, or blocked',
      'it is terminated by the signal received last',
    ],
  },
  {
    what: 'dispositions are put back, as they were',
    file: 'restoration',
    tests: [
      'dispositions of a fresh process are exactly as before: function, flags, mask',
      'dispositions that native code had set to "count" are put back, and work',
      'dispositions that native code replaced while the handler ran stay as they are',
      'listeners of process.on() that were there before get nothing while the handler runs, and all again after it',
    ],
  },
  {
    what: 'the three layers that clean up when the process ends',
    file: 'process_end',
    tests: [
      "the 'exit' event is enough: dispositions are back and the PID file is gone before anything else",
      "the environment's cleanup hook ends the thread, before atexit",
      'atexit is enough after process.reallyExit(): dispositions are back and the PID file is gone',
    ],
  },
  {
    what: 'a crash is no message',
    file: 'abort',
    tests: [
      'a crash ends the process by SIGABRT, as without us, and runs no JavaScript: abort(3)',
      'SIGABRT from another process is delivered like the others, also after a native handler was saved',
    ],
  },
  {
    what: 'children get nothing of this package',
    file: 'children',
    tests: [
      'a child by spawn has the default dispositions, an empty mask and none of our descriptors',
    ],
  },
];
