// This process as a Windows service: what the addon (native/service.h) cannot know. On other systems, and in
// all other processes, nothing happens.
import { registry } from './registry';

let isAnswered = false;

/** Before signals are taken: a start that fails is to be told as well. */
export function answerServiceManager(): void {
  isAnswered = registry.native.answerServiceManager();
}

/** After signals were taken, or not: now the listener runs after those that release the PID file. */
export function reportTheExit(): void {
  if (!isAnswered) return;
  // A program that continues although start() has failed can be stopped, too.
  setImmediate(reportRunning);
  registry.native.hostProcess.off('exit', exits);
  registry.native.hostProcess.on('exit', exits);
}

/** The service has started. */
export function reportRunning(): void {
  if (isAnswered) registry.native.serviceRuns();
}

function exits(code: number): void {
  const { native } = registry;
  const { exitCode } = native.hostProcess;
  native.serviceExits(Number(exitCode ?? code) | 0);
}
