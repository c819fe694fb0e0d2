// Tools that the scripts bring along themselves, pinned, below build/tools: Python packages in a
// virtual environment, npm packages, programs in Go, and unpacked Debian packages. Nothing is installed
// into the system and nothing needs root.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { ROOT, run, tryRun } from './run.mjs';

export const TOOLS = join(ROOT, 'build', 'tools');

/** Does `fill` once for each value of `stamp`; the directory it filled. */
async function cached(name, stamp, fill) {
  const directory = join(TOOLS, name);
  const stampFile = join(TOOLS, `${name}.stamp`);
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp) return directory;
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  await fill(directory);
  writeFileSync(stampFile, stamp);
  return directory;
}

/** A Python with the packages of a requirements file: the path of its `python`. */
export async function python(name, requirementsFile) {
  const requirements = readFileSync(requirementsFile, 'utf8');
  const directory = await cached(name, requirements, async (path) => {
    await run('python3', ['-m', 'venv', path]);
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    await run(join(path, 'bin', 'python'), [...pip, '-r', requirementsFile]);
  });
  return join(directory, 'bin', 'python');
}

/** Unpacks a wheel of another platform than this one; `requirement` is `name==version`. */
export function wheel(pythonPath, name, requirement, platform) {
  return cached(name, `${requirement} ${platform}`, async (path) => {
    const pip = ['-m', 'pip', 'download', '--quiet', '--disable-pip-version-check', '--no-deps'];
    const only = ['--only-binary=:all:', '--platform', platform];
    await run(pythonPath, [...pip, ...only, '-d', path, requirement]);
    const [file] = readdirSync(path);
    await run(pythonPath, ['-m', 'zipfile', '-e', join(path, file), path]);
    rmSync(join(path, file));
  });
}

/** One npm package for any platform, without its scripts; where it was installed. */
export async function npmPackage(name, version) {
  const key = `${name}@${version}`.replaceAll('/', '+');
  const directory = await cached(join('npm', key), key, async (path) => {
    writeFileSync(join(path, 'package.json'), '{ "private": true }\n');
    const flags = ['--force', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock'];
    await run('npm', ['install', '--silent', ...flags, `${name}@${version}`], { cwd: path });
  });
  return join(directory, 'node_modules', name);
}

/** One program of a Go module, built by the Go of this machine: its path; null where that cannot. */
export async function goProgram(path, version) {
  if ((await tryRun('go', ['version'])).status !== 0) return null;
  const name = basename(path);
  try {
    const directory = await cached(join('go', name), `${path}@${version}`, (bin) =>
      run('go', ['install', `${path}@${version}`], { env: { ...process.env, GOBIN: bin } }),
    );
    return join(directory, name);
  } catch (error) {
    console.error(`${error.message}\nAnother way is tried`); // too old a Go, or no proxy
    return null;
  }
}

/**
 * Unpacks Debian packages of any architecture and release; the directory is a root file system with
 * just these, or with all that they depend on. Uses apt's sources of this machine, but a private
 * package list.
 */
export function debian(architecture, suite, packages, { dependencies = false } = {}) {
  const stamp = `${architecture} ${suite} ${packages.join(' ')}`;
  const name = `debian-${suite}-${architecture}${dependencies ? `-${packages.join('-')}` : ''}`;
  return cached(name, stamp, async (path) => {
    const { stdout } = await run('apt-get', [
      'indextargets',
      '--format',
      '$(REPO_URI)',
      'Created-By: Packages',
      'Origin: Debian',
    ]);
    const mirror = stdout.split('\n')[0];
    if (!mirror) throw new Error('apt knows no Debian mirror on this machine');
    const apt = join(path, '.apt');
    for (const part of ['etc/preferences.d', 'lists/partial', 'cache/archives/partial', 'debs']) {
      mkdirSync(join(apt, part), { recursive: true });
    }
    const signed = '[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]';
    writeFileSync(join(apt, 'etc', 'sources.list'), `deb ${signed} ${mirror} ${suite} main\n`);
    writeFileSync(join(apt, 'status'), '');
    const options = {
      'APT::Architecture': architecture,
      'APT::Architectures': architecture,
      'APT::Sandbox::User': 'root',
      'Acquire::Languages': 'none',
      'Dir::Etc': join(apt, 'etc'),
      'Dir::Etc::sourceparts': '-',
      'Dir::State::lists': join(apt, 'lists'),
      'Dir::State::status': join(apt, 'status'),
      'Dir::Cache': join(apt, 'cache'),
    };
    const flags = [
      '-qq',
      ...Object.entries(options).flatMap(([key, value]) => ['-o', `${key}=${value}`]),
    ];
    await run('apt-get', [...flags, 'update']);
    let debs = join(apt, 'debs');
    if (dependencies) {
      const only = ['--yes', '--no-install-recommends', '--download-only'];
      await run('apt-get', [...flags, 'install', ...only, ...packages]);
      debs = join(apt, 'cache', 'archives');
    } else {
      await run('apt-get', [...flags, 'download', ...packages], { cwd: debs });
    }
    for (const file of readdirSync(debs).filter((name) => name.endsWith('.deb'))) {
      await run('dpkg-deb', ['-x', join(debs, file), path]);
    }
    rmSync(apt, { recursive: true });
  });
}
