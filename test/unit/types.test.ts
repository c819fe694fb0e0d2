// What the types promise to users, as they are published. What must not compile stands below
// `@ts-expect-error`: `npm run typecheck` fails when it does compile, as well as when the rest does
// not.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fork, spawn } from 'node:child_process';
import * as ts from 'typescript';
import * as daemoniker from '../../';
import {
  DaemonikerException,
  IGNORE_SIGNAL,
  PidFile,
  PidFileError,
  ReceivedSignal,
  SIGINT,
  SIGTERM,
  SignalError,
  SignalHandler1,
  type DiagnosticsMessages,
  type SignalCallable,
  type SignalErrorCode,
  type SignalHandlerOptions,
  type SignalMessage,
  type SignalOrigin,
  type SignalTarget,
  type Termination,
  ping,
  send,
  terminate,
} from '../../';
import { ROOT } from '../support/runtime';

type Equal<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
/** `isExactly<T>()(value)` compiles only where the value has this type and no other. */
declare const isExactly: <Expected>() => <Actual>(
  value: Actual,
  ...same: Equal<Actual, Expected> extends true ? [] : [never]
) => void;

const file = 'my.pid';

/** Compiled, and never called. */
export function handlers(): void {
  // Both forms, with everything or with nothing.
  new SignalHandler1(null);
  new SignalHandler1(new URL('file:///run/my.pid'), undefined, null, IGNORE_SIGNAL);
  new SignalHandler1(file, (signum) => isExactly<number>()(signum));
  new SignalHandler1(file, { sigterm: (signum) => isExactly<number>()(signum) });
  new SignalHandler1(file, { sigterm: async () => Promise.resolve(), deadline: 500 });
  new SignalHandler1(file, { sigint: undefined, sigterm: null, deadline: null });
  // @ts-expect-error: the PID file is no option; without one it is null
  new SignalHandler1();
  // @ts-expect-error: no such handler
  new SignalHandler1(file, { sighup: () => undefined });
  // @ts-expect-error: a signal's number is no handler
  new SignalHandler1(file, 15);
  // @ts-expect-error: a handler gets one argument
  new SignalHandler1(file, (signum: number, frame: object) => [signum, frame]);
  // @ts-expect-error: either by name or by position
  new SignalHandler1(file, { sigint: null }, IGNORE_SIGNAL);
  // @ts-expect-error: milliseconds
  new SignalHandler1(file, { deadline: '5s' });

  // Options in a variable of their own keep their own types.
  const options = { sigterm: (): number => 1, deadline: 500 } satisfies SignalHandlerOptions;
  isExactly<number>()(options.deadline);
  isExactly<number>()(options.sigterm());
  // @ts-expect-error: misspelt
  ({ sigterms: IGNORE_SIGNAL }) satisfies SignalHandlerOptions;

  const handler = new SignalHandler1(file, options).start().ref().unref();
  isExactly<SignalHandler1>()(handler);
  handler.sigterm = IGNORE_SIGNAL;
  delete handler.sigterm;
  isExactly<SignalCallable | undefined>()(new SignalHandler1(file).sigterm);
  // @ts-expect-error: of other signals there are no properties
  handler.sighup = IGNORE_SIGNAL;
  // @ts-expect-error: it is chosen once
  handler.pidFile = 'other.pid';
  isExactly<ReceivedSignal | null>()(handler.received);
  handler.exitWithin(null);
  // @ts-expect-error: a number, or null to cancel
  handler.exitWithin();
}

export function shuttingDown(): void {
  const handler = new SignalHandler1(file, {
    shutdown: { within: 5000, signals: ['SIGTERM', 'SIGINT'], again: [], errors: true },
    signals: { SIGHUP: IGNORE_SIGNAL, 40: () => undefined },
    listeners: true,
  });
  new SignalHandler1(file, { shutdown: true });
  new SignalHandler1(file, { shutdown: 5000 });
  // @ts-expect-error: misspelt
  new SignalHandler1(file, { shutdown: { whithin: 5000 } });
  // @ts-expect-error: no such signal
  new SignalHandler1(file, { shutdown: { signals: ['SIGTREM'] } });
  // @ts-expect-error: no such signal
  new SignalHandler1(file, { signals: { SIGHUPP: IGNORE_SIGNAL } });
  const remove = handler.onShutdown('hook', () => Promise.resolve(), { timeout: 1000 });
  isExactly<() => void>()(remove);
  handler.onShutdown('hook', (reason) => isExactly<unknown>()(reason));
  // @ts-expect-error: misspelt
  handler.onShutdown('hook', () => undefined, { timeuot: 1000 });
  // @ts-expect-error: the name comes first
  handler.onShutdown(() => undefined);
  isExactly<AbortSignal>()(handler.abortSignal);
  handler.setHandler('SIGHUP', null);
  // @ts-expect-error: no such signal
  handler.setHandler('SIGHUPP', null);
  isExactly<SignalCallable | undefined>()(handler.getHandler('SIGHUP'));
  isExactly<Promise<void>>()(handler.shutDown('reason'));
}

export async function sending(): Promise<void> {
  for (const signal of [SIGTERM, new SIGINT(), 'SIGHUP', 15, 15n, 0]) send(file, signal);
  send(file, SIGTERM, { verify: false, insecure: true });
  // What may be left out may be undefined: options are often passed on.
  const maybe = undefined as boolean | undefined;
  send(file, SIGTERM, { verify: maybe, insecure: maybe });
  await terminate(file, { kill: maybe, timeout: undefined, signal: undefined });
  // @ts-expect-error: a class, an instance, a name or a number
  send(file, {});
  // @ts-expect-error: the target cannot be left out here
  send(null, SIGTERM);
  isExactly<boolean>()(ping(file));

  const termination = await terminate(file, { timeout: Infinity, kill: true });
  isExactly<Termination>()(termination);
  isExactly<number | null>()(termination.pid);
  if (termination.outcome !== 'not-running') isExactly<number>()(termination.pid);
  if (termination.pid === null) isExactly<'not-running'>()(termination.outcome);
  // Each outcome can be told; no other can.
  const { outcome } = termination;
  switch (outcome) {
    case 'exited':
    case 'killed':
    case 'timeout':
    case 'not-running':
      break;
    default:
      isExactly<never>()(outcome);
  }
  // @ts-expect-error: what it is called in the DOM; here `signal` is the process's
  await terminate(file, { signal: AbortSignal.timeout(1) });

  // A PID file, a process ID, or a child, with or without pipes.
  const child = spawn('true');
  const targets = [file, new URL('file:///run/my.pid'), 4711, child, fork('worker.js')] as const;
  for (const target of targets satisfies readonly SignalTarget[]) {
    send(target, SIGTERM);
    isExactly<Termination>()(await terminate(target));
  }
  // What other libraries and runtimes have of one is enough.
  send({ pid: 4711, exitCode: null, signalCode: null }, 0);
  // @ts-expect-error: not what has only a number
  send({ pid: 4711 }, 0);
  // @ts-expect-error: not this process itself, whose number is process.pid
  send(process, 0);
  // @ts-expect-error: process IDs are no bigints
  send(4711n, 0);
  // @ts-expect-error: this one is about PID files
  ping(child);

  const pidFile = PidFile.acquire(file);
  isExactly<string>()(pidFile.path);
  // @ts-expect-error: by acquire() only
  new PidFile(file);
}

export function errors(error: unknown, messages: DiagnosticsMessages): void {
  if (error instanceof SignalError) {
    // Known ones are completed, and any other is possible.
    isExactly<SignalErrorCode>()(error.code);
    error.code satisfies string;
  }
  if (error instanceof PidFileError) isExactly<number | null | undefined>()(error.pid);
  if (error instanceof ReceivedSignal) {
    isExactly<SignalOrigin>()(error.origin);
    isExactly<number | null | undefined>()(error.sender?.uid);
    isExactly<string | null | undefined>()(error.sender?.command);
    // @ts-expect-error: a record of what was
    error.count = 2;
    // @ts-expect-error: the sender may be unknown
    isExactly<number>()(error.sender.pid);
  }
  new SIGTERM({ count: 2 }) satisfies DaemonikerException;
  isExactly<'SIGTERM'>()(new SIGTERM().name);
  isExactly<SignalMessage>()(messages['daemoniker:signal']);
  isExactly<unknown>()(messages['daemoniker:signal'].result);
}

test('there is no `any` in the published types', () => {
  const declarations = readdirSync(join(ROOT, 'dist')).filter((name) => /\.d\.m?ts$/.test(name));
  expect(declarations).toContain('index.d.ts');
  const found = declarations.flatMap((name) => {
    const text = readFileSync(join(ROOT, 'dist', name), 'utf8');
    const source = ts.createSourceFile(name, text, ts.ScriptTarget.Latest);
    const places: string[] = [];
    const visit = (node: ts.Node): void => {
      if (node.kind === ts.SyntaxKind.AnyKeyword) {
        const { line } = source.getLineAndCharacterOfPosition(node.pos);
        places.push(`${name}:${line + 1}`);
      }
      ts.forEachChild(node, visit);
    };
    visit(source);
    return places;
  });
  expect(found).toEqual([]);
});

test('import and require() see the same names, those of types too', () => {
  const entries = ['index.d.ts', 'index.d.mts'].map((name) => join(ROOT, 'dist', name));
  const options = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: ['node'],
    skipLibCheck: true,
  };
  const program = ts.createProgram(entries, options);
  const checker = program.getTypeChecker();
  const [required, imported] = entries.map((entry) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile);
    return checker
      .getExportsOfModule(module as ts.Symbol)
      .map(({ name }) => name)
      .sort();
  });
  expect(required).toContain('SignalTarget');
  expect(imported).toEqual(required);
});

test('whoever hovers over an export reads what it is, with an example', () => {
  const entry = join(ROOT, 'dist', 'index.d.ts');
  const program = ts.createProgram([entry], { types: ['node'], skipLibCheck: true });
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile);
  const symbols = checker.getExportsOfModule(module as ts.Symbol);
  const documented = symbols.map((one) => {
    const symbol = one.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(one) : one;
    const tags = symbol.getJsDocTags(checker).map(({ name }) => name);
    return {
      name: one.name,
      says: ts.displayPartsToString(symbol.getDocumentationComment(checker)),
      hasExample: tags.includes('example'),
    };
  });
  expect(documented.filter(({ says }) => says === '')).toEqual([]);
  const values = documented.filter(({ name }) => name in daemoniker);
  expect(values).toHaveLength(Object.keys(daemoniker).length);
  expect(values.filter(({ hasExample }) => !hasExample)).toEqual([]);
});
