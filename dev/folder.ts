/** The folder of one stack: its data, logs, keys and the lock that keeps a second stack out. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { Fault } from './fault.ts';

export const projectFolder = fileURLToPath(new URL('..', import.meta.url));

/** Where the stack lives: STACK_DIR, or `.stack` in the project. */
export function stackPath(env: NodeJS.ProcessEnv): string {
  return env['STACK_DIR'] ? resolve(env['STACK_DIR']) : join(projectFolder, '.stack');
}

/** Everything a stack writes. Nothing else is replaced or deleted: STACK_DIR may name a folder with more in it. */
export const WRITTEN = [
  ...[
    'auth-secret.json',
    'credentials.json',
    'endpoint',
    'keys.json',
    'passwords.json',
    'pids.json',
    'postgres.json',
    'logs',
    'mail',
    'meta',
    'postgres',
    'temporal',
  ],
  // Last: what is left of an interrupted reset is still a stack's.
  'lock',
];

/**
 * Creates what is missing. Others may enter a new folder (PostgreSQL runs as another user for root), but not look
 * around. Throws a `Fault` where the folder of no stack holds something by a name that a stack writes.
 */
export function createStackFolder(path: string): void {
  if (existsSync(path) && !statSync(path).isDirectory()) {
    throw new Fault(`${path} is not a folder. Set STACK_DIR to a folder.`);
  }
  mkdirSync(path, { recursive: true });
  if (!existsSync(join(path, 'lock'))) {
    const entries = readdirSync(path);
    const foreign = entries.filter((name) => WRITTEN.includes(name));
    if (foreign.length > 0) {
      throw new Fault(
        `${path} holds ${foreign.join(', ')} of something else than a stack. Move it away, or set STACK_DIR to another folder.`,
      );
    }
    if (entries.length === 0) chmodSync(path, 0o711);
    writeFileSync(join(path, 'lock'), '');
  }
  for (const name of ['logs', 'mail', 'temporal'])
    mkdirSync(join(path, name), { recursive: true, mode: 0o700 });
}

/**
 * Locks a stack folder for the life of this process; null when another process holds it. The lock is
 * SQLite's lock on an empty file: the system drops it however the process ends, so it is never stale.
 */
export function lockStackFolder(path: string): { release(): void } | null {
  const lock = new DatabaseSync(join(path, 'lock'), { timeout: 0 });
  try {
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    // SQLITE_BUSY
    const { errcode } = error as { errcode?: number };
    if (errcode === 5) return null;
    // SQLITE_NOTADB
    if (errcode === 26)
      throw new Fault(`${join(path, 'lock')} is not a stack's. Set STACK_DIR to another folder.`);
    throw error;
  }
  return { release: () => lock.close() };
}

/** Writes a file that holds secrets so that readers see all of it or the one before. */
export function writeSecret(path: string, value: unknown): void {
  const draft = `${path}.${process.pid}.draft`;
  rmSync(draft, { force: true });
  writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

/** The secret that signs this stack's sessions and links; made once, so that they survive a restart. */
export function authSecret(path: string): string {
  const file = join(path, 'auth-secret.json');
  const known = readJson(file);
  if (typeof known === 'string' && known.length >= 32) return known;
  const secret = randomBytes(32).toString('hex');
  writeSecret(file, secret);
  return secret;
}

/** The JSON in a file; undefined when there is none or it cannot be read as JSON. */
export function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
