// A daemon as a service of a real systemd.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { directory, pidFile } from '../support/each_test';
import { asRoot } from '../support/nobody';
import { onNode } from '../support/platform';
import { ROOT, RUNTIME } from '../support/runtime';
import { commandLine } from '../support/shell';
import { shellScript, underSystemd, withSystemd } from '../support/systemd';

/** A service whose main process runs this code with a running handler. */
function service(code: string, settings = ''): string {
  const daemon = join(directory, 'daemon.cjs');
  writeFileSync(
    daemon,
    `const { SignalHandler1 } = require(${JSON.stringify(ROOT)});
    const pidFile = ${JSON.stringify(pidFile)};
    ${code}
    setInterval(() => undefined, 1000);`,
  );
  return `OnFailure=alert.service
[Service]
Type=exec
ExecStart=${shellScript(`exec ${commandLine([...RUNTIME, daemon])}`)}
${settings}
`;
}

/** Once it has its PID file. */
const RUNS = 'while ! [ -s "$file" ]; do sleep 0.01; done';

asRoot('as root', () => {
  withSystemd('systemd', () => {
    test.each([
      ['hooks that have run', '() => undefined', 'success', 0],
      ['a hook that fails', '() => { throw new Error(); }', 'exit-code', 1],
      ['a hook that hangs', '() => new Promise(() => undefined)', 'exit-code', 124],
      ['a hook that blocks the event loop', '() => { for (;;); }', 'exit-code', 124],
    ])('takes a shutdown with %s for what it is', async (_, hook, result, status) => {
      const alert = join(directory, 'alert');
      const said = await underSystemd(
        {
          'mine.service': service(
            `new SignalHandler1(pidFile, { shutdown: 1000 }).start().onShutdown('hook', ${hook});`,
          ),
          'alert.service': `[Service]
Type=oneshot
ExecStart=${shellScript(`> ${commandLine([alert])}`)}
`,
        },
        `file=${commandLine([pidFile])}
        systemctl start mine; ${RUNS}
        systemctl stop mine
        systemctl show mine -p Result -p ExecMainStatus
        # It comes after the end of the stop.
        ! systemctl is-failed --quiet mine || until [ -e alert ]; do sleep 0.01; done
        while systemctl list-jobs --no-legend | grep -q alert; do sleep 0.01; done`,
      );
      expect(said).toBe(`Result=${result}\nExecMainStatus=${status}\n`);
      expect(existsSync(alert)).toBe(result !== 'success');
      expect(existsSync(pidFile)).toBe(false);
    });

    // Neither Bun nor Deno listens on a descriptor that it has inherited.
    onNode.test('`systemctl restart` of a service with a socket unit refuses nobody', async () => {
      const socket = join(directory, 'socket');
      const client = join(directory, 'client.cjs');
      // Each request on a connection of its own; a line when somebody else answers, or nobody does.
      writeFileSync(
        client,
        `const { get } = require('node:http');
        const { existsSync } = require('node:fs');
        let last;
        function hears(answer) {
          if (answer !== last) console.log(last = answer);
          ask();
        }
        function ask() {
          if (existsSync('enough')) return;
          get({ socketPath: ${JSON.stringify(socket)}, agent: false }, (response) => {
            let text = '';
            response.on('data', (data) => (text += data)).on('end', () => hears(text));
          }).on('error', ({ code }) => hears(code));
        }
        for (let number = 0; number < 4; number++) ask();`,
      );
      const said = await underSystemd(
        {
          'mine.socket': `[Socket]\nListenStream=${socket}\n`,
          'mine.service': service(
            `const server = require('node:http').createServer((request, response) => {
              setTimeout(() => response.end(String(process.pid)), 20);
            });
            const handler = new SignalHandler1(pidFile, { shutdown: true });
            // Not http's close(): it also cuts off connections whose first request is on its way.
            const { close } = require('node:net').Server.prototype;
            handler.onShutdown('http', () => new Promise((end) => close.call(server, end)));
            handler.start({ wait: 30_000 }).then(() => server.listen({ fd: 3 }));`,
          ),
        },
        `file=${commandLine([pidFile])}
        systemctl start mine.socket mine.service
        ${commandLine([...RUNTIME, client])} > answers &
        for round in 0 1 2 3; do
          [ $round = 0 ] || systemctl restart mine
          pid=$(systemctl show mine -p MainPID --value)
          until [ "$(tail -n 1 answers)" = $pid ]; do sleep 0.01; done
          head -n 1 "$file"
        done
        > enough
        wait
        cat answers
        systemctl show mine -p Result --value`,
      );
      const lines = said.trimEnd().split('\n');
      expect(new Set(lines.slice(0, 4)).size).toBe(4);
      expect(lines.slice(4)).toEqual([...lines.slice(0, 4), 'success']);
    });
  });
});
