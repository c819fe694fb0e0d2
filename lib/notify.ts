// What a service tells systemd, or another supervisor that speaks its protocol: sd_notify(3).
import { constants } from 'node:os';
import { LONGEST_MS, toBoolean, toMilliseconds, toOptions } from './arguments';
import {
  NotifyError,
  explainSystemError,
  invalidArgType,
  invalidArgValue,
  printable,
  systemErrorCode,
} from './errors';
import { native } from './native';

/** What {@link notify} tells the supervisor. */
export interface Notification {
  /** It has started, or has finished reloading. */
  ready?: boolean | undefined;
  /** It is reloading its configuration; `ready` must follow. The time that systemd requires is added. */
  reloading?: boolean | undefined;
  /** It is shutting down. */
  stopping?: boolean | undefined;
  /** A line for `systemctl status`, cut to 2048 bytes of UTF-8. */
  status?: string | undefined;
  /** It is alive: restarts the time of `WatchdogSec=`. */
  watchdog?: boolean | undefined;
  /**
   * Milliseconds from now, from 1 to 2147483647, that the current start, reload or stop may take; never shortens
   * its limit.
   */
  extendTimeout?: number | undefined;
}

const EXPLANATIONS = {
  EAGAIN: 'it has not read its messages for a second',
  ECONNREFUSED: 'no process reads from that socket',
  EMSGSIZE: 'the message is longer than 4096 bytes, which systemd would ignore',
  EPROTOTYPE: 'it is not a datagram socket',
};

/** What is longer, systemd ignores as a whole (NOTIFY_BUFFER_MAX in its sources). */
const LONGEST_MESSAGE_BYTES = 4096;
/** Leaves room for all the rest. */
const LONGEST_STATUS_BYTES = 2048;

const NAMES = ['ready', 'reloading', 'stopping', 'status', 'watchdog', 'extendTimeout'] as const;

/**
 * Tells the supervisor the state of the service, as sd_notify(3) does: systemd with `Type=notify`, or
 * another one that sets `NOTIFY_SOCKET`. It is one datagram from this process, so `NotifyAccess=main`
 * and an unprivileged user suffice. Works in worker threads too.
 *
 * @param state - An object, or a string as for sd_notify(3): `'READY=1'`, `'STATUS=…'`, separated by line
 *   feeds. `RELOADING=1` gets the `MONOTONIC_USEC=` that systemd requires.
 * @returns whether it was sent: `false` if `NOTIFY_SOCKET` is not set or empty, and always on Windows
 * @throws NotifyError `ENOENT` (no such socket), `ECONNREFUSED` (no process reads it), `EACCES`,
 *   `ENAMETOOLONG`, `EAGAIN` (not read for a second), `EAFNOSUPPORT` (`NOTIFY_SOCKET` is neither a path nor
 *   an abstract name), `EMSGSIZE` (longer than 4096 bytes of UTF-8, which systemd would ignore), or another
 *   system error's code, with `errno` and `syscall`
 *
 * @example
 * ```js
 * // service.mjs
 * import { createServer } from 'node:http';
 * import { notify } from 'daemoniker';
 *
 * createServer().listen(8080, () => notify({ ready: true, status: 'listening on 8080' }));
 * ```
 */
export function notify(state: string | Notification): boolean {
  const lines = typeof state === 'string' ? state : toLines(state);
  // systemd ignores such a message as a whole.
  if (lines.includes('\0')) throw invalidArgValue('state', 'must not contain null bytes', state);
  return tell(lines, true);
}

function tell(lines: string, waits: boolean): boolean {
  const socket = variable('NOTIFY_SOCKET');
  if (socket === undefined || socket === '' || process.platform === 'win32') return false;
  if (lines === '') return true;
  const message = withTime(lines);
  if (!/^[/@]/.test(socket)) {
    throw new NotifyError(
      `Cannot notify the supervisor: NOTIFY_SOCKET is '${printable(socket)}', which is neither a path nor an ` +
        'abstract name (@…)',
      'EAFNOSUPPORT',
    );
  }
  const isTooLong = Buffer.byteLength(message) > LONGEST_MESSAGE_BYTES;
  const error = isTooLong
    ? -constants.errno.EMSGSIZE
    : native.notifySupervisor(socket, message, waits);
  if (error === 0) return true;
  throw new NotifyError(
    `Cannot notify the supervisor at '${printable(socket)}' (NOTIFY_SOCKET): ` +
      explainSystemError(error, EXPLANATIONS),
    systemErrorCode(error),
    { errno: error, syscall: 'sendto' },
  );
}

/** Of the environment: nothing of Object.prototype is one. */
function variable(name: string): string | undefined {
  return Object.hasOwn(process.env, name) ? process.env[name] : undefined;
}

function toLines(state: unknown): string {
  if (typeof state !== 'object') throw invalidArgType('state', 'of type string or object', state);
  const given = toOptions<Notification>(state, NAMES, 'state');
  const lines: string[] = [];
  const flag = (name: 'ready' | 'reloading' | 'stopping' | 'watchdog', line: string): void => {
    if (toBoolean(`state.${name}`, given[name], false)) lines.push(line);
  };
  flag('ready', 'READY=1');
  flag('reloading', 'RELOADING=1');
  flag('stopping', 'STOPPING=1');
  flag('watchdog', 'WATCHDOG=1');
  if (given.status !== undefined) {
    if (typeof given.status !== 'string') {
      throw invalidArgType('state.status', 'of type string', given.status);
    }
    // A line feed would begin another assignment.
    lines.push(`STATUS=${shortened(given.status.replaceAll('\n', ' '))}`);
  }
  if (given.extendTimeout !== undefined) {
    const time = toMilliseconds('state.extendTimeout', given.extendTimeout, 'of type number');
    lines.push(`EXTEND_TIMEOUT_USEC=${Math.round(time * 1000)}`);
  }
  return lines.join('\n');
}

function shortened(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= LONGEST_STATUS_BYTES) return text;
  const ellipsis = '…';
  const room = LONGEST_STATUS_BYTES - Buffer.byteLength(ellipsis);
  // Without what is left of a character.
  const kept = new TextDecoder().decode(bytes.subarray(0, room), { stream: true });
  return kept + ellipsis;
}

/** systemd wants to know when a reload began (sd_notify(3), RELOADING=1). */
function withTime(lines: string): string {
  if (!/^RELOADING=1$/m.test(lines) || /^MONOTONIC_USEC=/m.test(lines)) return lines;
  return `${lines}\nMONOTONIC_USEC=${native.monotonicMicroseconds()}`;
}

/**
 * Whether this process is the one that the supervisor has started: what it says without being asked must
 * not come from a child or a cluster worker, which inherits the socket.
 */
function isService(): boolean {
  if (variable('NOTIFY_SOCKET') === undefined) return false;
  // Either may come from a service further up, whose environment was passed on.
  const told = [variable('SYSTEMD_EXEC_PID'), variable('WATCHDOG_PID')].filter(
    (one) => one !== undefined,
  );
  if (told.length > 0) return told.includes(String(process.pid));
  // An older systemd (before 248), or podman. A child that Node forked has a channel to its parent.
  return process.send === undefined;
}

/** A shutdown has begun that may take so long, in milliseconds. Says nothing if it cannot. */
export function notifyStopping(within: number): void {
  const extendTimeout = Math.min(within + STOPPING_MARGIN_MS, LONGEST_MS);
  quietly({ stopping: true, extendTimeout }, true);
}

/** Until the process is gone after the last thing that we can do about it. */
const STOPPING_MARGIN_MS = 2000;

/**
 * Keeps the watchdog of the service (`WatchdogSec=`) quiet, from the event loop, for as long as that turns.
 * Returns what ends it.
 */
export function keepWatchdogQuiet(): () => void {
  const microseconds = Number(variable('WATCHDOG_USEC'));
  if (!(microseconds > 0) || !isService()) return () => undefined;
  // sd_watchdog_enabled(3): at half of the time.
  const every = Math.min(microseconds / 2000, LONGEST_MS);
  // A second in which the event loop stands still is worse than one message less.
  const ping = (): void => quietly({ watchdog: true }, false);
  const timer = setInterval(ping, every);
  timer.unref();
  ping();
  return () => clearInterval(timer);
}

function quietly(state: Notification, waits: boolean): void {
  if (!isService()) return;
  try {
    tell(toLines(state), waits);
  } catch {
    // Nobody has asked for it, and nothing depends on it.
  }
}
