/** Schemathesis: calls an API with what its OpenAPI document allows and does not allow, and judges the answers. */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const VERSION = '4.32.5';
const cache = new URL(`../../.cache/schemathesis-${VERSION}`, import.meta.url).pathname;
const requirements = new URL('../fuzz/requirements.txt', import.meta.url).pathname;

/** Installs it into the project's cache, once: a folder that Python finds it in. */
function install(): string {
  if (existsSync(cache)) return cache;
  console.log('Fetching Schemathesis (30 MB) …');
  const folder = `${cache}.${process.pid}`;
  const args = ['-m', 'pip', 'install', '--quiet', '--target', folder, '--requirement', requirements];
  const { status, stderr } = spawnSync('python3', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`pip could not install Schemathesis:\n${stderr}`);
  try {
    renameSync(folder, cache);
  } catch {
    // Somebody else was faster.
    rmSync(folder, { recursive: true, force: true });
  }
  return cache;
}

export interface FuzzOptions {
  /** Where the document is. */
  document: string;
  baseUrl: string;
  headers: Record<string, string>;
  /** Cases for each operation at most. */
  examples: number;
  /** Operations to leave out, or the only ones to call, by their ids. */
  without?: string[];
  only?: string[];
  /** In Schemathesis' own words (TOML). */
  config: string;
}

/** Runs it to its end: whether all was well, and what it wrote. */
export async function fuzz(options: FuzzOptions): Promise<{ passed: boolean; report: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'numbers-fuzz-'));
  const config = join(folder, 'schemathesis.toml');
  writeFileSync(config, options.config);
  const headers = Object.entries(options.headers).flatMap(([name, value]) => [
    '--header',
    `${name}: ${value}`,
  ]);
  const args = [
    ...['-c', 'from schemathesis.cli import schemathesis; schemathesis()', '--config-file', config],
    ...['run', options.document, '--url', options.baseUrl, ...headers],
    ...(options.without ?? []).flatMap((id) => ['--exclude-operation-id', id]),
    ...(options.only ?? []).flatMap((id) => ['--include-operation-id', id]),
    ...['--max-examples', String(options.examples), '--seed', '1', '--generation-database', 'none'],
    '--no-color',
  ];
  const child = spawn('python3', args, {
    cwd: folder,
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], PYTHONPATH: install() },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let report = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      report += chunk;
    });
  }
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  rmSync(folder, { recursive: true, force: true });
  return { passed: code === 0, report };
}
