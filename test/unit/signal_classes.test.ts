import { constants } from 'node:os';
import { types } from 'node:util';
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads';
import {
  DaemonikerException,
  PidFileError,
  ReceivedSignal,
  SIGABRT,
  SIGINT,
  SIGTERM,
  SignalError,
} from '../../';
import { caught } from '../support/caught';

describe.each([
  ['SIGINT', SIGINT, constants.signals.SIGINT],
  ['SIGTERM', SIGTERM, constants.signals.SIGTERM],
  ['SIGABRT', SIGABRT, constants.signals.SIGABRT],
] as const)('%s', (name, Signal, signum) => {
  test('has its number as SIGNUM, on the class and on instances', () => {
    expect(Signal.SIGNUM).toBe(signum);
    expect(new Signal().SIGNUM).toBe(signum);
    expect(new Signal().signum).toBe(signum);
  });

  test('converts to its number, as a class and as an instance', () => {
    expect(Number(Signal)).toBe(signum);
    expect(Number(new Signal())).toBe(signum);
    expect(+new Signal()).toBe(signum);
    expect((Signal as unknown as number) * 1).toBe(signum);
  });

  test('still reads as text where text is asked for', () => {
    expect(String(new Signal())).toBe(`${name}: ${name} received`);
    expect(String(Signal)).toBe(name);
  });

  test('is a ReceivedSignal, a DaemonikerException and an Error, and of no other class', () => {
    const instance = new Signal();
    expect(instance).toBeInstanceOf(ReceivedSignal);
    expect(instance).toBeInstanceOf(DaemonikerException);
    expect(instance).toBeInstanceOf(Error);
    expect(instance).not.toBeInstanceOf(SignalError);
    for (const Other of [SIGINT, SIGTERM, SIGABRT]) {
      expect(instance instanceof Other).toBe(Other === Signal);
    }
    expect(instance.name).toBe(name);
    expect(Object.prototype.toString.call(instance)).toBe('[object Error]');
  });

  test('made by hand, it knows no sender and stands for one arrival', () => {
    expect(new Signal()).toMatchObject({ sender: null, count: 1 });
    expect(new Signal().receivedAt).toBeInstanceOf(Date);
  });

  test('names the signal, the sender and its command in its message and in its stack', () => {
    const sender = { pid: 42, uid: 0, command: 'sh' };
    const instance = new Signal({ sender });
    expect(instance.message).toBe(`${name} received from pid 42 (sh)`);
    expect(instance.stack).toContain(`${name}: ${name} received from pid 42 (sh)`);
  });

  test('names the sender alone when its command is not known', () => {
    const sender = { pid: 42, uid: 0, command: null };
    expect(new Signal({ sender }).message).toBe(`${name} received from pid 42`);
  });
});

test('a log of JSON lines shows which signal it was and who sent it', () => {
  const sender = { pid: 42, uid: 1000, command: 'kill' };
  const receivedAt = new Date(0);
  const text = JSON.stringify(new SIGTERM({ sender, origin: 'process', count: 2, receivedAt }));
  expect(JSON.parse(text)).toEqual({
    name: 'SIGTERM',
    message: 'SIGTERM received from pid 42 (kill)',
    signum: SIGTERM.SIGNUM,
    sender,
    origin: 'process',
    count: 2,
    receivedAt: '1970-01-01T00:00:00.000Z',
  });
});

test('toJSON() survives what copies no more of an error than its message and stack', () => {
  const sender = { pid: 42, uid: 1000, command: 'kill' };
  const received = new SIGTERM({ sender, origin: 'process', count: 2, receivedAt: new Date(0) });
  const copy = structuredClone<unknown>(received);
  expect(types.isNativeError(copy)).toBe(true);
  expect(copy).not.toHaveProperty('signum');
  expect(copy).not.toHaveProperty('sender');
  const known = {
    name: 'SIGTERM',
    message: 'SIGTERM received from pid 42 (kill)',
    signum: SIGTERM.SIGNUM,
    sender,
    origin: 'process',
    count: 2,
    receivedAt: new Date(0),
  };
  expect(structuredClone(received.toJSON())).toEqual(known);
  const { port1, port2 } = new MessageChannel();
  port1.postMessage(received.toJSON());
  expect(receiveMessageOnPort(port2)?.message).toEqual(known);
  port1.close();
});

test.each<[string, object, PropertyKey]>([
  ['received.toJSON()', ReceivedSignal.prototype, 'toJSON'],
  ['received.SIGNUM', ReceivedSignal.prototype, 'SIGNUM'],
  ['received[Symbol.toPrimitive]()', ReceivedSignal.prototype, Symbol.toPrimitive],
  ['SIGTERM[Symbol.toPrimitive]()', ReceivedSignal, Symbol.toPrimitive],
])('%s without its object is ERR_INVALID_THIS', (use, owner, key) => {
  const found = Object.getOwnPropertyDescriptor(owner, key) as Partial<Record<string, unknown>>;
  const method = (found['value'] ?? found['get']) as (hint: string) => unknown;
  const error = caught(() => method.call(undefined, 'number'));
  expect(error).toMatchObject({ name: 'TypeError', code: 'ERR_INVALID_THIS' });
  expect(error.message).toContain(use);
});

test("a method used on another copy's object says whose it is", () => {
  let other = {} as typeof import('../../');
  jest.isolateModules(() => {
    other = jest.requireActual('../../');
  });
  const { message } = caught(() =>
    ReceivedSignal.prototype.toJSON.call(new other.ReceivedSignal()),
  );
  expect(message).toContain(
    'Received an instance of ReceivedSignal of another copy of this package',
  );
});

test('a bare ReceivedSignal has the number -1', () => {
  expect(ReceivedSignal.SIGNUM).toBe(-1);
  expect(new ReceivedSignal().SIGNUM).toBe(-1);
  expect(Number(ReceivedSignal)).toBe(-1);
  expect(Number(new ReceivedSignal())).toBe(-1);
});

test('SignalError and PidFileError are DaemonikerExceptions, but no signals', () => {
  const errors = [
    new SignalError('message', 'ERR_HANDLER_RUNNING'),
    new PidFileError('message', 'ENOENT', '/x'),
  ];
  for (const error of errors) {
    expect(error).toBeInstanceOf(DaemonikerException);
    expect(error).toBeInstanceOf(Error);
    expect(error).not.toBeInstanceOf(ReceivedSignal);
  }
  expect(errors.map(({ name, code }) => `${name} ${code}`)).toEqual([
    'SignalError ERR_HANDLER_RUNNING',
    'PidFileError ENOENT',
  ]);
});
