// One class identity, however the package was loaded.
import { endAll } from '../support/fixture';
import { run } from '../support/program';

afterEach(endAll);

test('import and require give the same classes and functions, by the name of the package', async () => {
  const program = run(async (tools) => {
    const esm = (await tools.import('daemoniker')) as Record<string, unknown>;
    const cjs = tools.require('daemoniker') as Record<string, unknown>;
    tools.say('loaded', {
      esm: Object.keys(esm).sort(),
      cjs: Object.keys(cjs).sort(),
      different: Object.keys(cjs).filter((name) => cjs[name] !== esm[name]),
      sameFile: cjs['SIGINT'] === tools.daemoniker.SIGINT,
    });
  });
  const loaded = await program.hears('loaded');
  expect(loaded).toMatchObject({ different: [], sameFile: true });
  expect(loaded['cjs']).toEqual(
    expect.arrayContaining(['SignalHandler1', 'IGNORE_SIGNAL', 'send']),
  );
  expect((loaded['esm'] as string[]).filter((name) => name !== 'default')).toEqual(
    (loaded['cjs'] as string[]).filter((name) => name !== '__esModule'),
  );
});
