// On CI's shared machines a process may not get the CPU for seconds. A test that fails there is run
// again, and says that it was; one that protects something real fails every time.
if (process.env['CI'] !== undefined) jest.retryTimes(2, { logErrorsBeforeRetry: true });
