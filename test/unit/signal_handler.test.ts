// SignalHandler1 as an object: nothing is started here.
import { constants } from 'node:os';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import {
  IGNORE_SIGNAL,
  PidFile,
  ReceivedSignal,
  SIGABRT,
  SIGINT,
  SIGTERM,
  SignalHandler1,
  type SignalCallable,
} from '../../';

const NAMES = ['sigint', 'sigterm', 'sigabrt'] as const;
const nothing = (): void => undefined;

/** The error that it throws. */
function thrown(action: () => unknown): Error & { code?: string } {
  try {
    action();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

describe('the constructor', () => {
  const handlers = [1, 2, 3].map(
    (n): SignalCallable =>
      () =>
        n,
  ) as [SignalCallable, SignalCallable, SignalCallable];

  test('takes the handlers by position: sigint, sigterm, sigabrt', () => {
    const handler = new SignalHandler1('x.pid', ...handlers);
    expect(NAMES.map((name) => handler[name])).toEqual(handlers);
  });

  test('takes the handlers by name', () => {
    const [sigint, sigterm, sigabrt] = handlers;
    const handler = new SignalHandler1('x.pid', { sigabrt, sigterm, sigint });
    expect(NAMES.map((name) => handler[name])).toEqual(handlers);
  });

  test.each([
    ['nothing', new SignalHandler1('x.pid')],
    ['undefined', new SignalHandler1('x.pid', undefined, undefined, undefined)],
    ['null', new SignalHandler1('x.pid', null, null, null)],
    ['no options', new SignalHandler1('x.pid', {})],
    ['options of null', new SignalHandler1('x.pid', { sigint: null, sigterm: undefined })],
  ])('gives the default handler for %s', (_what, handler) => {
    expect(() => handler.sigint?.(SIGINT.SIGNUM)).toThrow(SIGINT);
    expect(() => handler.sigterm?.(SIGTERM.SIGNUM)).toThrow(SIGTERM);
    expect(() => handler.sigabrt?.(SIGABRT.SIGNUM)).toThrow(SIGABRT);
  });

  test('leaves out what is left out in the middle', () => {
    const handler = new SignalHandler1('x.pid', null, IGNORE_SIGNAL);
    expect(handler.sigterm).toBe(IGNORE_SIGNAL);
    expect(() => handler.sigint?.(SIGINT.SIGNUM)).toThrow(SIGINT);
  });

  test('keeps the path of the PID file as given, readable and not writable', () => {
    const handler = new SignalHandler1('x.pid');
    expect(handler.pidFile).toBe('x.pid');
    expect(() => Object.assign(handler, { pidFile: 'y.pid' })).toThrow(TypeError);
    expect(handler.pidFile).toBe('x.pid');
  });

  test('takes a URL or null as the PID file', () => {
    expect(new SignalHandler1(pathToFileURL(__filename)).pidFile).toBe(__filename);
    expect(new SignalHandler1(null).pidFile).toBeNull();
  });

  test.each([undefined, 42, {}, [], true, Symbol('x')])(
    'refuses %p as a PID file, naming the argument',
    (pidFile) => {
      const error = thrown(() => new SignalHandler1(pidFile as string));
      expect(error).toBeInstanceOf(TypeError);
      expect(error.code).toBe('ERR_INVALID_ARG_TYPE');
      expect(error.message).toContain('"pidFile"');
    },
  );

  test.each(['', 'a\0b'])('refuses the path %j', (pidFile) => {
    expect(thrown(() => new SignalHandler1(pidFile))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('"pidFile"') as string,
    });
  });

  test('refuses the URL of anything but a file, naming the argument', () => {
    expect(thrown(() => new SignalHandler1(new URL('https://example.org/x.pid')))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('"pidFile" is not the URL of a file') as string,
    });
  });

  test('refuses what url.parse() gives', () => {
    const parsed = { href: 'file:///x.pid', protocol: 'file:', auth: null, path: '/x.pid' };
    expect(thrown(() => new SignalHandler1(parsed as never))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
    });
  });

  test('refuses options where they would get lost: after the handlers', () => {
    const make = SignalHandler1 as new (...args: unknown[]) => SignalHandler1;
    const error = thrown(() => new make(null, null, null, null, { deadline: 5 }));
    expect(error).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringContaining('options go second') as string,
    });
    expect(new make(null, null, null, null, undefined)).toBeInstanceOf(SignalHandler1);
  });

  test('refuses an array, saying what may stand there', () => {
    expect(thrown(() => new SignalHandler1(null, [] as never))).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringContaining('type function, or an object of handlers') as string,
    });
  });

  test('refuses an AbortSignal, and says where one may be given', () => {
    const { signal } = new AbortController();
    for (const options of [{ signal }, { abortSignal: signal }]) {
      expect(thrown(() => new SignalHandler1(null, options as never))).toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining('is for start({ wait, abortSignal })') as string,
      });
    }
  });

  test('refuses an option that it does not know: a misspelt handler would never be called', () => {
    const error = thrown(() => new SignalHandler1(null, { sigkill: nothing } as object));
    expect(error).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message: expect.stringContaining('sigkill') as string,
    });
  });

  test.each(['soon', {}, true])('refuses the deadline %p', (deadline) => {
    const error = thrown(() => new SignalHandler1(null, { deadline } as object));
    expect(error).toBeInstanceOf(TypeError);
    expect(error).toMatchObject({
      code: 'ERR_INVALID_ARG_TYPE',
      message: expect.stringContaining('deadline') as string,
    });
  });

  test.each([0, -1, NaN, Infinity, 2 ** 31])('refuses the deadline %p', (deadline) => {
    const error = thrown(() => new SignalHandler1(null, { deadline }));
    expect(error).toBeInstanceOf(RangeError);
    expect(error).toMatchObject({ code: 'ERR_OUT_OF_RANGE' });
  });
});

describe.each(NAMES)('handler.%s', (name) => {
  test('reads back as what was assigned, always a callable', () => {
    const handler = new SignalHandler1(null);
    expect(handler[name]).toBeInstanceOf(Function);
    handler[name] = nothing;
    expect(handler[name]).toBe(nothing);
    handler[name] = IGNORE_SIGNAL;
    expect(handler[name]).toBe(IGNORE_SIGNAL);
  });

  test('is the default handler again after delete, and nothing else has changed', () => {
    const handler = new SignalHandler1(null, nothing, nothing, nothing);
    const original = new SignalHandler1(null);
    expect(Reflect.deleteProperty(handler, name)).toBe(true);
    expect(() => handler[name]?.(15)).toThrow(SIGTERM);
    expect(() => original[name]?.(15)).toThrow(SIGTERM);
    for (const other of NAMES) if (other !== name) expect(handler[other]).toBe(nothing);
    expect(name in handler).toBe(true);
  });

  test.each([undefined, null])(
    'is the default handler again after the assignment of %p',
    (none) => {
      const handler = new SignalHandler1(null, nothing, nothing, nothing);
      Object.assign(handler, { [name]: none });
      expect(() => handler[name]?.(15)).toThrow(SIGTERM);
    },
  );

  test.each([
    [42, 'type number (42)'],
    ['SIGTERM', 'type string ("SIGTERM")'],
    [{}, 'an instance of Object'],
    [true, 'type boolean (true)'],
    [10n, 'type bigint (10n)'],
    [Symbol('x'), 'type symbol (Symbol(x))'],
  ])('refuses %p when it is assigned, and keeps what it had', (value, described) => {
    const handler = new SignalHandler1(null, nothing, nothing, nothing);
    const error = thrown(() => Object.assign(handler, { [name]: value }));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.code).toBe('ERR_INVALID_ARG_TYPE');
    expect(error.message).toContain(`"${name}"`);
    expect(error.message).toContain(described);
    expect(handler[name]).toBe(nothing);
  });

  test('refuses bad values in the constructor in the same way', () => {
    const inOptions = thrown(() => new SignalHandler1(null, { [name]: 1 }));
    const position = NAMES.indexOf(name);
    const byPosition = thrown(
      () => new SignalHandler1(null, ...([null, null, null].fill(1 as never, position) as [])),
    );
    for (const error of [inOptions, byPosition]) {
      expect(error).toMatchObject({
        code: 'ERR_INVALID_ARG_TYPE',
        message: expect.stringContaining(`"${name}"`) as string,
      });
    }
  });
});

describe('the default handler, called by hand', () => {
  const handler = new SignalHandler1(null);

  test.each([
    [2, SIGINT],
    [15, SIGTERM],
    [constants.signals.SIGABRT, SIGABRT], // 22 on Windows
  ])('throws for %p its class, whichever handler it is', (signum, Signal) => {
    for (const name of NAMES) {
      const error = thrown(() => handler[name]?.(signum));
      expect(error).toBeInstanceOf(Signal);
      expect(error).toMatchObject({ signum, sender: null });
    }
  });

  test.each([-42, 0, 1, 9, 10, 40])('throws a bare ReceivedSignal for %p', (signum) => {
    const error = thrown(() => handler.sigint?.(signum));
    expect(error.constructor).toBe(ReceivedSignal);
    expect(error).toMatchObject({ signum });
    expect(Number(error)).toBe(signum);
  });

  test('is one and the same for all signals and handlers', () => {
    const other = new SignalHandler1(null);
    expect(other.sigint).toBe(handler.sigint);
    expect(other.sigabrt).toBe(handler.sigterm);
  });

  test('throws a bare ReceivedSignal without a number', () => {
    const error = thrown(() => (handler.sigint as () => unknown)());
    expect(error.constructor).toBe(ReceivedSignal);
    expect(Number(error)).toBe(-1);
  });

  test('works when it has been taken off its object', () => {
    const { sigterm } = handler;
    expect(() => sigterm?.(15)).toThrow(SIGTERM);
  });
});

describe('IGNORE_SIGNAL', () => {
  test('is a frozen function that does nothing', () => {
    expect(Object.isFrozen(IGNORE_SIGNAL)).toBe(true);
    for (const signum of [2, 15, 6]) expect(IGNORE_SIGNAL(signum)).toBeUndefined();
  });
});

describe('an object that was never started', () => {
  test('can be stopped, as often as one likes', () => {
    const handler = new SignalHandler1('x.pid');
    for (let i = 0; i < 3; i++) handler.stop();
    handler[Symbol.dispose]();
    expect(handler.received).toBeNull();
  });

  test('has received nothing', () => {
    expect(new SignalHandler1(null).received).toBeNull();
  });

  test('is an instance of its class, and can be of a subclass with private fields', () => {
    class Mine extends SignalHandler1 {
      #secret = 7;
      reveal(): number {
        return this.#secret;
      }
    }
    const mine = new Mine(null, IGNORE_SIGNAL);
    expect(mine).toBeInstanceOf(SignalHandler1);
    expect(mine.reveal()).toBe(7);
    expect(mine.sigint).toBe(IGNORE_SIGNAL);
  });

  test('handles by a field of a class that extends it', () => {
    class Mine extends SignalHandler1 {
      override sigterm = nothing;
    }
    const mine = new Mine(null);
    expect(mine.sigterm).toBe(nothing);
    delete (mine as SignalHandler1).sigterm;
    expect(() => (mine as SignalHandler1).sigterm?.(15)).toThrow(SIGTERM);
    // Only declared, as TypeScript's useDefineForClassFields leaves it.
    const declared = new SignalHandler1(null, null, nothing);
    const field = { value: undefined, writable: true, enumerable: true, configurable: true };
    Object.defineProperty(declared, 'sigterm', field);
    expect(declared.sigterm).toBe(nothing);
    class Wrong extends SignalHandler1 {
      override sigterm = 15 as never;
    }
    expect(thrown(() => new Wrong(null)).code).toBe('ERR_INVALID_ARG_TYPE');
  });

  test('handles by what defineProperty() gives it, but not by an accessor', () => {
    const handler = new SignalHandler1(null);
    Object.defineProperty(handler, 'sigint', { value: nothing });
    expect(handler.sigint).toBe(nothing);
    expect(thrown(() => Object.defineProperty(handler, 'sigint', { get: () => 1 }))).toBeInstanceOf(
      TypeError,
    );
    const fixed = { value: IGNORE_SIGNAL, configurable: false };
    expect(thrown(() => Object.defineProperty(handler, 'sigint', fixed))).toBeInstanceOf(TypeError);
    expect(handler.sigint).toBe(nothing);
    Object.defineProperty(handler, 'label', { value: 'x', configurable: true });
    expect(handler).toHaveProperty('label', 'x');
  });

  test('refuses a method of a class that extends it, which would never be called', () => {
    class Mine extends SignalHandler1 {}
    Object.defineProperty(Mine.prototype, 'sigterm', { value: nothing });
    class Deeper extends Mine {}
    for (const Class of [Mine, Deeper]) {
      expect(thrown(() => new Class(null))).toMatchObject({
        code: 'ERR_INVALID_ARG_VALUE',
        message: expect.stringContaining('"sigterm" must not be a method') as string,
      });
    }
  });

  test('shows its PID file and whether it runs when it is logged', () => {
    const shown = inspect(new SignalHandler1('x.pid', { deadline: 500 }));
    expect(shown).toBe(
      "SignalHandler1 { pidFile: 'x.pid', runs: false, deadline: 500, received: null }",
    );
  });

  test('gives other properties back after they were deleted like any object', () => {
    const handler = new SignalHandler1(null) as SignalHandler1 & { label?: string };
    handler.label = 'x';
    delete handler.label;
    expect('label' in handler).toBe(false);
  });

  test('ref() and unref() return it', () => {
    const handler = new SignalHandler1(null);
    expect(handler.ref()).toBe(handler);
    expect(handler.unref()).toBe(handler);
  });
});

test('`delete handler.sigint` compiles under strict, and restores the default', () => {
  const handler = new SignalHandler1(null, nothing);
  delete handler.sigint;
  expect(() => handler.sigint?.(SIGINT.SIGNUM)).toThrow(SIGINT);
});

describe('a method or accessor that is used without its object', () => {
  type Method = (this: unknown, signal: string) => unknown;
  const own = (prototype: object): [string, Method][] =>
    Reflect.ownKeys(prototype)
      .filter((key) => key !== 'constructor' && key !== inspect.custom)
      .flatMap((key) => {
        const found = Object.getOwnPropertyDescriptor(prototype, key) as Partial<
          Record<string, unknown>
        >;
        // Those that are named after other signals are not enumerable, and take no handler.
        if (/^sig/i.test(String(key)) && found['enumerable'] !== true) return [];
        return [found['value'], found['get'], found['set']]
          .filter((one) => one !== undefined)
          .map((one): [string, Method] => [String(key), one as Method]);
      });
  const all = [...own(SignalHandler1.prototype), ...own(PidFile.prototype)];

  test('are all there are', () => {
    const names = all.map(([name]) => name);
    for (const name of [
      'stop',
      'start',
      'pidFile',
      'received',
      'sigint',
      'exitWithin',
      'release',
    ]) {
      expect(names).toContain(name);
    }
  });

  test.each(all)('%s throws ERR_INVALID_THIS', async (_, method) => {
    for (const object of [undefined, {}]) {
      // An asynchronous one rejects.
      const outcome = new Promise((resolve) => resolve(method.call(object, 'SIGHUP')));
      await expect(outcome).rejects.toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_THIS' });
    }
  });

  test('the message says how to call it', () => {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- that is what this is about
    const { stop } = new SignalHandler1(null);
    expect(thrown(() => Reflect.apply(stop, undefined, [])).message).toBe(
      'Value of "this" must be an instance of SignalHandler1. Use handler.stop(), or ' +
        '() => handler.stop() as a callback. Received undefined',
    );
  });

  test('the message does not call an object an instance that only has the prototype', () => {
    const made = Object.create(SignalHandler1.prototype) as SignalHandler1;
    expect(thrown(() => made.stop()).message).toMatch(
      /Received an object that inherits from SignalHandler1 but was not made by its constructor$/,
    );
    const heir = Object.create(made) as SignalHandler1;
    for (const one of [heir, SignalHandler1.prototype])
      expect(thrown(() => one.stop()).message).toMatch(/not made by its constructor$/);
  });

  test('PidFile.acquire() needs none', () => {
    // eslint-disable-next-line @typescript-eslint/unbound-method -- that is what this is about
    const { acquire } = PidFile;
    expect(thrown(() => acquire(''))).toMatchObject({ code: 'ERR_INVALID_ARG_VALUE' });
  });
});

describe('a property that is named after a signal and takes no handler', () => {
  const assign =
    (name: string, handler: unknown = nothing) =>
    (): unknown =>
      Object.assign(new SignalHandler1(null), { [name]: handler });
  const others = Object.keys(constants.signals).filter(
    (signal) => !(NAMES as readonly string[]).includes(signal.toLowerCase()),
  );

  test.each(others)('%s refuses an assignment, in either case', (signal) => {
    for (const name of [signal, signal.toLowerCase()]) {
      const error = thrown(assign(name));
      expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_ARG_VALUE' });
      expect(error.message).toContain(`"${name}"`);
      expect(error.message).toMatch(/use handler\.setHandler\('SIG|cannot have a handler: /);
    }
  });

  test('says what to do', () => {
    expect(thrown(assign('sighup')).message).toBe(
      'The argument "sighup" is not a property that takes a handler; use ' +
        "handler.setHandler('SIGHUP', …). Received function nothing",
    );
    expect(thrown(assign('SIGTERM')).message).toContain('did you mean sigterm?');
    expect(thrown(assign('sigkill')).message).toContain(
      'SIGKILL cannot have a handler: no process can handle it',
    );
  });

  test('is refused as an option', () => {
    const option = { sighup: nothing } as object;
    expect(thrown(() => new SignalHandler1(null, option)).message).toContain(
      'use the option signals: { SIGHUP: … }',
    );
  });

  test('is refused as an option beside the one by name', () => {
    const both = { sigterm: nothing, signals: { SIGTERM: nothing } };
    expect(thrown(() => new SignalHandler1(null, both))).toMatchObject({
      code: 'ERR_INVALID_ARG_VALUE',
      message:
        'The argument "options.signals.SIGTERM" must be left out, because sigterm is the same signal. ' +
        'Received function nothing',
    });
  });

  test('is in nobody’s way: neither seen, nor in that of methods and other values', () => {
    class Method extends SignalHandler1 {
      readonly sigquit = 3;
      sighup(): number {
        return 1;
      }
      sigusr1 = nothing;
    }
    const handler = new Method(null);
    expect(handler.sigusr1).toBe(nothing);
    expect(() => Object.assign(handler, { sighup: handler.sighup.bind(handler) })).not.toThrow();
    expect(() => Object.assign(new SignalHandler1(null), { sighup: undefined })).not.toThrow();
    const stub = Object.create(SignalHandler1.prototype) as object;
    expect(Object.assign(stub, { sighup: 1 })).toHaveProperty('sighup', 1);
    expect(handler.sighup()).toBe(1);
    expect(handler.sigquit).toBe(3);
    expect(inspect(handler)).not.toMatch(/sighup/i);
    const keys: string[] = [];
    for (const key in new SignalHandler1(null)) keys.push(key);
    expect(keys.filter((key) => /^sig/i.test(key)).sort()).toEqual([...NAMES].sort());
    expect('sigrtmin' in handler).toBe(false);
  });
});
