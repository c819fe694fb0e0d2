// What send() takes as a signal. Judged before the file is opened: a missing file is ENOENT for a
// signal that exists, and never looked for otherwise.
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ReceivedSignal,
  SIGABRT,
  SIGINT,
  SIGTERM,
  SignalError,
  SignalHandler1,
  launch,
  send,
  terminate,
  type SignalLike,
} from '../../';
import { caught } from '../support/caught';
import { removeDirectory, temporaryDirectory } from '../support/directory';
import { endAll, start } from '../support/fixture';
import { onLinux } from '../support/platform';

const MISSING = join(tmpdir(), 'daemoniker-no-such-file.pid');

function isKnown(signal: unknown): boolean {
  const error = caught(() => send(MISSING, signal as SignalLike));
  if (error['code'] === 'ENOENT') return true;
  expect(error).toBeInstanceOf(SignalError);
  expect(error).toMatchObject({ name: 'SignalError', code: 'ERR_UNKNOWN_SIGNAL' });
  return false;
}

class Converted {
  constructor(readonly number: unknown) {}
  [Symbol.toPrimitive](): unknown {
    return this.number;
  }
}

test.each<[string, unknown]>([
  ['a class', SIGTERM],
  ['an instance', new SIGINT()],
  ['a bare instance that stands for a signal', new ReceivedSignal({ signum: SIGABRT.SIGNUM })],
  ['a number', 15],
  ["a number of the operating system's", constants.signals.SIGTERM],
  ['a bigint', 15n],
  ['a name', 'SIGTERM'],
  ['another name', 'SIGKILL'],
  ['zero, to check only', 0],
  ['zero as a bigint', 0n],
  ['what becomes an integer', new Converted(15)],
  ['what becomes a bigint', new Converted(15n)],
  ['a Number object', Object(15)],
])('%s is a signal', (_, signal) => {
  expect(isKnown(signal)).toBe(true);
});

test.each<[string, unknown]>([
  ['a bare class', ReceivedSignal],
  ['a bare instance', new ReceivedSignal()],
  ['nothing', undefined],
  ['null', null],
  ['a boolean', true],
  ['a negative number', -15],
  ['a fraction', 15.5],
  ['NaN', NaN],
  ['infinity', Infinity],
  ['a number beyond all signals', 65],
  ['a number that is 15 in 32 bits', 2 ** 32 + 15],
  ['a bigint that is 15 in 64 bits', 2n ** 64n + 15n],
  ['an empty string', ''],
  ['a number as a string', '15'],
  ['a name in lower case', 'sigterm'],
  ['a name without SIG', 'TERM'],
  ['a name of nothing', 'SIGNOTHING'],
  ['a name of every object', 'constructor'],
  ['a name that objects inherit', '__proto__'],
  ['an array, for which Number() is 15', [15]],
  ['an empty array, for which Number() is 0', []],
  ['a Date, which is a number of milliseconds', new Date(15)],
  ['an object', {}],
  ['an object without a prototype', Object.create(null)],
  ['a Map', new Map()],
  ['a function', (): number => 15],
  ['a symbol', Symbol('SIGTERM')],
  ['a regular expression', /15/],
  ['an error', new Error('15')],
  ['what becomes a string', new Converted('15')],
  ['what becomes nothing', new Converted(undefined)],
])('%s is no signal: ERR_UNKNOWN_SIGNAL before the file is looked for', (_, signal) => {
  expect(isKnown(signal)).toBe(false);
});

test('what was given stands in the message', () => {
  const message = (signal: unknown): string =>
    caught(() => send(MISSING, signal as SignalLike)).message;
  expect(message('SIGNOTHING')).toContain('SIGNOTHING');
  expect(message([15])).toContain('Array');
  expect(message(99)).toContain('99');
});

test.each<[unknown, string]>([
  ['sigterm', "did you mean 'SIGTERM'?"],
  ['TERM', "did you mean 'SIGTERM'?"],
  ['Sigint', "did you mean 'SIGINT'?"],
  ['SIGTREM', "did you mean 'SIGTERM'?"],
  ['15', 'did you mean the number 15?'],
  ['', "Pass a class such as SIGTERM or an instance of it, a name such as 'SIGHUP', or a number"],
  [new ReceivedSignal(), 'stands for no signal in particular. Pass a class such as SIGTERM'],
  [ReceivedSignal, 'stands for no signal in particular. Pass a class such as SIGTERM'],
  [AbortSignal.abort(), 'pass it as the option abortSignal. As the signal, pass a class'],
])('for %p the message says what to pass', (signal, advice) => {
  const { message, code } = caught(() => send(MISSING, signal as SignalLike));
  expect(code).toBe('ERR_UNKNOWN_SIGNAL');
  expect(message).toContain(advice);
});

test('an AbortSignal as the signal of terminate() is told its option', async () => {
  await expect(
    terminate(MISSING, { signal: new AbortController().signal as unknown as SignalLike }),
  ).rejects.toMatchObject({
    code: 'ERR_UNKNOWN_SIGNAL',
    message: expect.stringContaining('the option abortSignal') as unknown,
  });
});

test('an AbortSignal as the unknown option `signal` is told its option', async () => {
  const options = { signal: new AbortController().signal } as object;
  for (const promise of [
    launch('x.pid', 'nonesuch', [], options),
    new SignalHandler1(null).start({ wait: 1, ...options }),
  ]) {
    await expect(promise).rejects.toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('did you mean abortSignal?') as unknown,
    });
  }
});

test('bad arguments are TypeErrors that name them, before the signal is judged', () => {
  const bad = (...args: unknown[]): unknown =>
    caught(() => (send as (...args: unknown[]) => void)(...args));
  expect(bad(true, 'SIGNOTHING')).toMatchObject({
    name: 'TypeError',
    code: 'ERR_INVALID_ARG_TYPE',
    message: expect.stringContaining('"target"') as unknown,
  });
  expect(bad('', 15)).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  expect(bad('a\0b', 15)).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  expect(bad(MISSING, 15, null)).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  expect(bad(MISSING, 15, { verify: 'no' })).toMatchObject({
    code: 'ERR_INVALID_ARG_TYPE',
    message: expect.stringContaining('verify') as unknown,
  });
  expect(bad(MISSING, 15, { insecure: 1 })).toMatchObject({ code: 'ERR_INVALID_ARG_TYPE' });
  // A misspelt option must not weaken or strengthen anything in silence.
  expect(bad(MISSING, 15, { Verify: false })).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
});

onLinux('on Linux', () => {
  test('every signal has its number: 1 to 31, and the real-time ones from 34 to 64', () => {
    const known = Array.from({ length: 130 }, (_, signum) => signum).filter(isKnown);
    const expected = Array.from({ length: 65 }, (_, signum) => signum);
    expect(known).toEqual(expected.filter((signum) => signum !== 32 && signum !== 33));
  });

  test('a real-time signal arrives as itself', async () => {
    const directory = temporaryDirectory();
    const pidFile = join(directory, 'test.pid');
    // Node has no name for it; the shell says 128 + number.
    const wrapper = ['sh', '-c', '"$@"; echo "status $?"', 'sh'];
    const daemon = start('daemon', [pidFile], { wrapper });
    await daemon.hears('ready');
    send(pidFile, 40);
    expect((await daemon.end()).stdout).toContain('status 168');
    await endAll();
    removeDirectory(directory);
  });
});
