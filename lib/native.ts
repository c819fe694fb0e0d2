import loadAddon = require('./addon.js');
import { addonError } from './addon_error';
import type { SignalOrigin } from './signals';

/** What the addon found out about a file; see native/pid_file.h. */
export interface FileReport {
  readonly kind: FileKind;
  readonly device: bigint;
  readonly index: bigint;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
  readonly mode: number;
  /** The owner, or -1 where files have no numeric owner. */
  readonly uid: number;
  /** The owner of the symbolic link at that path, 0 on Windows; or -1 if it is none. */
  readonly linkUid: number;
  readonly size: number;
  /** What the holder of the lock says it holds it by, or -1: where to look first. */
  readonly lockDescriptor: number;
  /** The first bytes, one character each. */
  readonly content: string;
}

/** A file that was looked at without being touched. */
export interface ExaminedFile extends FileReport {
  readonly lock: LockState;
}

// Each of these has the order of its C++ counterpart.
export const enum FileKind {
  Regular,
  Directory,
  Fifo,
  Other,
}
export const enum LockState {
  Free,
  Held,
  Unsupported,
  /** Nobody holds it, but it cannot be taken: by a claim only. */
  Obstructed,
}
/** What keeps a process from being taken for a daemon; see native/other_process.h. */
export const enum Role {
  Ordinary,
  Init,
  Kernel,
  Ancestor,
}
export const enum Holds {
  No,
  Yes,
  Unknown,
}
/** What a signal does once it has been given back. */
export const enum After {
  Saved,
  Runtime,
  Default,
  AsItIs,
}
export const ORIGINS = [
  'process',
  'thread',
  'queue',
  'kernel',
  'console',
  'pipe',
  'service',
] as const satisfies readonly SignalOrigin[];

/** A system call failed: `error` as in `util.getSystemErrorName()`. */
export interface Failure {
  readonly error: number;
  readonly syscall: string;
}

export function isFailure(result: object): result is Failure {
  return Object.hasOwn(result, 'error');
}

/** Takes an arrival as plain values: no object is made by the addon, which takes far longer. */
export type OnArrival = (
  signum: number,
  origin: number,
  pid: number,
  uid: number,
  wallUs: number,
  count: number,
  sequence: number,
  command: string | null,
) => void;

/** Another process; see native/other_process.h. */
export interface ProcessDescription {
  readonly zombie: boolean;
  /** Milliseconds since the epoch, by the clock as it goes now. */
  readonly startedAt: number;
  /** Tells it from others of its number, whatever is done to the clock. */
  readonly birth: number;
  /** Its number, or 0; on Windows that may mean another process by now. */
  readonly parent: number;
}

/** For people; empty texts where it is not known. */
export interface ProcessDetails {
  readonly command: string;
  readonly user: string;
  readonly suspended: boolean;
}

/** How it ended, where the system tells: an exit code or -1, the number of a signal or 0. */
export type OnExit = (code: number, signum: number) => void;

/** Opaque: native/exit_wait.h. */
export interface ExitWait {
  readonly [EXIT_WAIT]: never;
}
declare const EXIT_WAIT: unique symbol;

/** `error`: a number of Windows', not of libuv's; 0 for none. */
export interface ServiceResult {
  readonly error: number;
}

/** The order is that of the numbers of Windows. */
export const enum ServiceState {
  Stopped = 1,
  StartPending,
  StopPending,
  Running,
}
export interface ServiceStatus extends ServiceResult {
  readonly state: ServiceState;
  /** 0 when there is no process. */
  readonly pid: number;
  /** 1066: see specificExitCode. */
  readonly win32ExitCode: number;
  readonly specificExitCode: number;
  /** Increases while something pending makes progress. */
  readonly checkpoint: number;
}

export interface ServiceConfiguration extends ServiceResult {
  readonly commandLine: string;
  readonly account: string;
  readonly startType: number;
}

/** What a path is to what a service runs. */
export const enum PathRole {
  File,
  Directory,
  FurtherUp,
}

/** native/win32/service_manager.cc. What returns a number returns an error of Windows'. */
export interface ServiceManager {
  /** `unsupported`: settings that this system does not know, for people. */
  create(
    name: string,
    displayName: string,
    commandLine: string,
    account: string,
    startType: number,
    delayed: boolean,
    description: string,
    restarts: boolean,
  ): ServiceResult & { readonly unsupported: readonly string[] };
  delete(name: string): number;
  start(name: string): number;
  control(name: string, control: number): number;
  query(name: string): ServiceStatus;
  configuration(name: string): ServiceConfiguration;
  /** An account other than administrators, or ''. */
  whoMayChange(path: string, role: PathRole): ServiceResult & { readonly account: string };
}

/** The addon, native/addon.cc. Numbers called "error" are 0 or negative, as libuv's. */
export interface NativeBinding {
  readonly hostProcess: NodeJS.Process;
  /** Signals without names; the last one is less than the first where there are none. */
  readonly firstRealTimeSignal: number;
  readonly lastRealTimeSignal: number;

  /** 1: another environment of this process has done so. Idempotent. */
  startThreads(onArrival: OnArrival, describeOpen: () => string): number;
  stopThreads(): void;
  setReferenced(referenced: boolean): void;

  /** `between` adds or removes our listener; what it throws is thrown. See native/dispositions.h. */
  take(signum: number, between: () => void): number;
  giveBack(signum: number, after: After, between: () => void): void;
  /** Why other processes cannot send to the handlers for now; 0: they can. */
  unreachable(): number;
  /** 0 milliseconds: no deadline. The last two: see native/shutdown.h. */
  setHandling(
    signum: number,
    ignored: boolean,
    milliseconds: number,
    beginsShutdown: boolean,
    endsShutdown: boolean,
  ): void;
  /** What the lines about the end of the process call it; needed before it can be handled. */
  nameSignal(signum: number, name: string): void;

  /** Gives the earliest arrival that waits to `onArrival`, if there is one. */
  deliver(onArrival: OnArrival): void;
  /** How many different signals wait. */
  waiting(): number;
  /** Forgets what waits. */
  discard(): void;
  senderName(signum: number, sequence: number): string | null;
  recordFromRuntime(signum: number): void;
  fatalException(error: unknown): void;

  setExitLimit(milliseconds: number, signum: number, extend: boolean): void;
  cancelExitLimit(): void;
  /** How long a shutdown may take that a signal begins. */
  limitShutdown(milliseconds: number): void;
  beginShutdown(milliseconds: number): void;
  /** What the line about a late shutdown says is running; empty: nothing. */
  setRunning(name: string): void;
  finishShutdown(): void;
  /** Unless beginShutdown() was called. */
  finishUnseenShutdown(): void;
  dieAtExit(signum: number): void;
  writeToStandardError(line: string): void;

  examinePath(path: string): ExaminedFile | Failure;
  openClaim(
    path: string,
  ):
    | (Readonly<Record<'created' | 'writable' | 'shared' | 'pending', boolean>> & { claim: number })
    | Failure;
  lockClaim(claim: number): LockState;
  reportClaim(claim: number): FileReport | Failure;
  /** False: another process was faster. `mark` is added to the content under a lock. */
  publishClaim(claim: number, content: string, mark: string): boolean | Failure;
  isClaimCurrent(claim: number): boolean;
  confirmClaim(claim: number, removeAtEnd: boolean): void;
  releaseClaim(claim: number, removeNow: boolean): void;

  /** `waits`: for a second, if the supervisor does not read. */
  notifySupervisor(socket: string, message: string, waits: boolean): number;
  /** CLOCK_MONOTONIC. */
  monotonicMicroseconds(): number;

  openProcess(pid: number): { readonly handle: number } | Failure;
  closeProcess(handle: number): void;
  describeProcess(pid: number, handle: number): ProcessDescription | Failure;
  processDetails(pid: number, handle: number): ProcessDetails;
  /** An own one, whose number cannot mean another process yet. */
  isChild(pid: number): boolean;
  processOwner(pid: number): number;
  roleOf(pid: number, fileOwner: number): Role;
  holdsLock(pid: number, device: bigint, index: bigint, path: string, descriptor: number): Holds;
  signalProcess(pid: number, handle: number, signum: number): number;
  /** The result owns the handle. It must be given to {@link NativeBinding.stopWaiting} once. */
  waitForExit(pid: number, handle: number, birth: number, onExit: OnExit): ExitWait | Failure;
  stopWaiting(wait: ExitWait): void;

  /** See native/service.h. Whether this process is a service. */
  answerServiceManager(): boolean;
  serviceRuns(): void;
  serviceExits(exitCode: number): void;
  /** On Windows. */
  readonly services?: ServiceManager;

  /** See native/session.h. */
  keepDescriptors(): void;
  openSession(leader: number): { readonly session: number } | Failure;
  closeSession(session: number): void;
  sessionContains(session: number, pid: number): boolean;
  signalSession(session: number, signum: number): number[];
}

function load(): NativeBinding {
  try {
    return loadAddon() as NativeBinding;
  } catch (error) {
    throw addonError(error);
  }
}

export const native: NativeBinding = load();
