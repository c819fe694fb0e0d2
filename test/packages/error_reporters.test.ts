// The default handler raises, so whatever listens to uncaught exceptions makes a crash report of each
// stop. With `shutdown` the same stop is no error.
import { directory } from '../support/each_test';
import { Fixture, type Ending } from '../support/fixture';
import { RUNTIME } from '../support/runtime';
import { SAY, write } from './project';

const REPORTERS = {
  // It sends what it reports to a server; here that is the program itself.
  Sentry: `
    const { createServer } = await import('node:http');
    const { text } = await import('node:stream/consumers');
    const Sentry = await import('@sentry/node');
    const server = createServer((request, response) =>
      text(request).then((body) => {
        const [, header, item] = body.split('\\n').map((line) => line && JSON.parse(line));
        if (header.type === 'event') {
          say('reported', { value: item.exception.values[0].value, level: item.level });
        }
        response.end('{}');
      }));
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    Sentry.init({ dsn: 'http://key@127.0.0.1:' + server.address().port + '/1' });`,
  winston: `
    const { default: winston } = await import('winston');
    const { Writable } = await import('node:stream');
    const stream = new Writable({
      write: (line, _, done) => {
        const { level, message, exception } = JSON.parse(line);
        say('reported', { value: message.split('\\n')[0], level, exception });
        done();
      },
    });
    winston.createLogger({
      transports: [new winston.transports.Stream({ stream, handleExceptions: true })],
      exitOnError: true,
    });`,
} as const;
type Reporter = keyof typeof REPORTERS;

async function stop(reporter: Reporter, options: string, signal: NodeJS.Signals) {
  const program = write(
    'program.mjs',
    `${SAY}
    import { SignalHandler1 } from 'daemoniker';
    ${REPORTERS[reporter]}
    const handler = new SignalHandler1(null, ${options}).start();
    handler.onShutdown('slow', () => new Promise((resolve) => setTimeout(resolve, 300)).then(
      () => say('done')));
    setTimeout(() => process.exit(9), 120_000);
    say('ready');`,
  );
  const fixture = new Fixture([...RUNTIME, program], { cwd: directory });
  await fixture.hears('ready');
  fixture.kill(signal);
  const ending = await fixture.end();
  return { ...ending, said: fixture.said.slice(1) } satisfies Ending & { said: unknown };
}

describe.each(['SIGTERM', 'SIGINT'] as const)('%s', (signal) => {
  const message = new RegExp(`${signal} received from pid ${process.pid} `);

  test('with the default handler is a fatal event for Sentry, and exit code 1', async () => {
    const { code, said } = await stop('Sentry', '{}', signal);
    expect(said).toEqual([
      { event: 'reported', value: expect.stringMatching(message) as string, level: 'fatal' },
    ]);
    expect(code).toBe(1);
  });

  test('with the default handler is an exception for winston, and exit code 1', async () => {
    const { code, said } = await stop('winston', '{}', signal);
    expect(said).toEqual([
      {
        event: 'reported',
        value: expect.stringMatching(message) as string,
        level: 'error',
        exception: true,
      },
    ]);
    expect(code).toBe(1);
  });

  test.each(Object.keys(REPORTERS) as Reporter[])(
    'with `shutdown` is nothing to report for %s, and exit code 0',
    async (reporter) => {
      const { code, said, stderr } = await stop(reporter, '{ shutdown: true }', signal);
      expect({ code, said, stderr }).toEqual({ code: 0, said: [{ event: 'done' }], stderr: '' });
    },
  );
});
