export {
  DaemonikerException,
  LaunchError,
  NotifyError,
  PidFileError,
  SignalError,
  type LaunchErrorCode,
  type PidFileErrorCode,
  type SignalErrorCode,
} from './errors';
export {
  ReceivedSignal,
  SIGABRT,
  SIGINT,
  SIGTERM,
  type SignalDetails,
  type SignalLike,
  type SignalOrigin,
  type SignalSender,
} from './signals';
export {
  IGNORE_SIGNAL,
  SignalHandler1,
  type ExitWithinOptions,
  type SignalCallable,
  type SignalHandlerOptions,
  type SignalHandlers,
  type StartOptions,
} from './signal_handler';
export type { ShutdownHook, ShutdownHookOptions, ShutdownOptions } from './shutdown';
export type {
  DiagnosticsMessages,
  HandlerMessage,
  ShutdownHookMessage,
  ShutdownMessage,
  SignalMessage,
  WarningMessage,
} from './diagnostics';
export { PidFile } from './pid_file';
export { launch, type LaunchOptions, type Launched } from './launch';
export { notify, type Notification } from './notify';
export { ping, send, type SendOptions } from './send';
export type { ChildProcessLike, SignalTarget } from './target';
export { terminate, type TerminateOptions, type Termination } from './terminate';
