/** The embedded stack, started and stopped as a person would. The tests build on each other. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Client } from 'pg';
import { afterAll, expect, test } from 'vitest';
import {
  type Credentials,
  credentialsFile,
  credentialsSchema,
  readCredentials,
} from '../../dev/credentials.ts';
import { readJson } from '../../dev/folder.ts';
import { bornOf } from '../../dev/processes.ts';

const project = fileURLToPath(new URL('../..', import.meta.url));
const stack = mkdtempSync(join(tmpdir(), 'stack-test-'));
const ports = [
  'PORT',
  'METRICS_PORT',
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
  'POSTGRES_PORT',
  'SMTP_PORT',
  'MAIL_PORT',
  'META_PORT',
  'ENDPOINT_PORT',
];
const replaced = [
  'DATABASE_URL',
  'TEMPORAL_ADDRESS',
  'SMTP_URL',
  'META_GRAPH_URL',
  'NODE_ENV',
  'npm_lifecycle_event',
];
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !replaced.includes(name))),
  ...Object.fromEntries(ports.map((name) => [name, '0'])),
  STACK_DIR: stack,
};
const ALL_PARTS = [
  'supervisor',
  'api',
  'worker',
  'delivery',
  'meta',
  'endpoint',
  'inbox',
  'temporal',
  'postgres',
];

let supervisor: ChildProcess;
let output = '';
let first: Credentials;

async function start(): Promise<Credentials> {
  output = '';
  supervisor = spawn(process.execPath, ['dev/start.ts'], {
    cwd: project,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const collect = (chunk: Buffer) => {
    output += chunk;
  };
  supervisor.stdout?.on('data', collect);
  supervisor.stderr?.on('data', collect);
  // Said once the credentials are written: a file alone may be that of a run that was killed.
  await expect
    .poll(() => (supervisor.exitCode === null ? output : `It ended: ${output}`), { timeout: 110_000 })
    .toContain('Number approval is running.');
  return credentialsSchema.parse(readJson(credentialsFile(stack)));
}

/** Process ids as the stack records them. */
function pids(): Record<string, number> {
  const record = readJson(join(stack, 'pids.json')) as Record<string, { pid: number }>;
  return Object.fromEntries(Object.entries(record).map(([name, { pid }]) => [name, pid]));
}

const run = (...command: string[]) => promisify(execFile)(process.execPath, command, { cwd: project, env });

async function request(address: string): Promise<number> {
  const response = await fetch(address, { signal: AbortSignal.timeout(5000) });
  await response.arrayBuffer();
  return response.status;
}

async function json<T>(address: string, init?: RequestInit): Promise<T> {
  return (await (await fetch(address, init)).json()) as T;
}

afterAll(async () => {
  if (supervisor.exitCode === null && supervisor.signalCode === null) {
    supervisor.kill('SIGTERM');
    await once(supervisor, 'exit');
  }
  rmSync(stack, { recursive: true, force: true });
});

test('comes up, and every address answers when the credentials appear', { timeout: 180_000 }, async () => {
  first = await start();
  expect(await request(`${first.apiUrl}/readyz`)).toBe(200);
  expect(await request(first.temporalUiUrl ?? '')).toBe(200);
  expect(await request(`${first.mailUrl}/api/v1/messages`)).toBe(200);
  expect(await request(first.mailUrl ?? '')).toBe(200);
  expect(await request(first.metaUrl)).toBe(200);
  expect(await request(first.endpointUrl)).toBe(200);
  const [host = '', port] = first.temporalAddress.split(':');
  const socket = connect({ host, port: Number(port) });
  await once(socket, 'connect');
  socket.destroy();
  const client = new Client({ connectionString: first.databaseUrl });
  await client.connect();
  const { rows } = await client.query('select name from organizations order by name');
  expect(rows).toEqual([{ name: 'Gadgets Ltd.' }, { name: 'Widgets Inc.' }]);
  await client.end();
  await expect.poll(() => output).toContain(first.customer.apiKey);
  expect(output).toContain(first.apiUrl);
  expect(readCredentials(env)).toEqual(first);
});

test('each key and each password opens the API for its holder', async () => {
  for (const person of [
    first.customer,
    first.otherCustomer,
    first.support,
    first.otherSupport,
    first.operator,
  ]) {
    const headers = { authorization: `Bearer ${person.apiKey}` };
    expect((await fetch(`${first.apiUrl}/v1/numbers`, { headers })).status).toBe(200);
    const { email, password } = person;
    const signedIn = await fetch(`${first.apiUrl}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password }),
    });
    expect(await signedIn.json()).toMatchObject({ person: { email } });
  }
});

test('walks a number through its life: npm run tour', async () => {
  const { stdout } = await run('dev/tour/main.ts');
  expect(stdout).toMatch(/\+1\d{10} {2}APPROVED {2}attempt 2/);
  expect(stdout).toContain(`${first.temporalUiUrl}/namespaces/default/workflows/number%3A`);
  // Each is checked by the sample endpoint, with a package that the product does not sign with.
  for (const type of [
    'number.quality_changed',
    'number.limit_changed',
    'message.received',
    'message.status',
  ]) {
    expect(stdout).toMatch(new RegExp(`evt_\\w+ {2}${type} {2}signature verified`));
  }
});

test('is approved though every webhook of Meta gets lost', async () => {
  const { stdout } = await run('dev/tour/main.ts', '--webhooks-lost');
  expect(stdout).toMatch(/\+1\d{10} {2}APPROVED {2}attempt 2/);
  expect(stdout).toContain('at Meta: CONNECTED, registered');
});

test('keeps its histories for 30 days', async () => {
  const { Connection } = await import('@temporalio/client');
  const connection = await Connection.connect({ address: first.temporalAddress });
  const { config } = await connection.workflowService.describeNamespace({ namespace: 'default' });
  expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(30 * 24 * 3600);
  await connection.close();
});

test('a second start of the same stack says who runs it, and a reset refuses', async () => {
  const running = `(process ${supervisor.pid})`;
  await expect(run('dev/start.ts')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining(running),
  });
  await expect(run('dev/reset.ts')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Stop it first'),
  });
  expect(await request(`${first.apiUrl}/readyz`)).toBe(200);
});

test('a part that dies is started again, with a line about it', async () => {
  for (const [name, line] of [
    ['api', 'The API stopped (SIGKILL)'],
    ['postgres', 'PostgreSQL stopped (SIGKILL)'],
    ['temporal', 'The Temporal server stopped (SIGKILL)'],
  ] as const) {
    const before = pids()[name] ?? 0;
    process.kill(before, 'SIGKILL');
    await expect.poll(() => output, { timeout: 20_000 }).toContain(line);
    await expect.poll(() => pids()[name], { timeout: 20_000 }).not.toBe(before);
  }
  for (const title of ['The API', 'PostgreSQL', 'The Temporal server']) {
    await expect.poll(() => output, { timeout: 40_000 }).toContain(`${title} is back.`);
  }
  await expect.poll(() => request(`${first.apiUrl}/readyz`).catch(() => 0), { timeout: 30_000 }).toBe(200);
});

test('SIGTERM stops everything within 15 s, and the credentials are gone', async () => {
  const parts = pids();
  expect(Object.keys(parts).sort()).toEqual(ALL_PARTS.toSorted());
  supervisor.kill('SIGTERM');
  // npm passes on what the terminal has delivered already.
  supervisor.kill('SIGTERM');
  const [code] = await once(supervisor, 'exit', { signal: AbortSignal.timeout(15_000) });
  expect(code).toBe(0);
  expect(existsSync(credentialsFile(stack))).toBe(false);
  for (const pid of Object.values(parts)) expect(bornOf(pid)).toBeNull();
  expect(readFileSync(join(stack, 'logs', 'postgres.log'), 'utf8').trimEnd()).toMatch(
    /database system is shut down$/,
  );
  await expect(run('dev/tour/main.ts')).rejects.toMatchObject({
    code: 1,
    stderr: expect.stringContaining('npm start'),
  });
});

test('data and keys survive a restart', { timeout: 180_000 }, async () => {
  const second = await start();
  for (const role of ['customer', 'otherCustomer', 'support', 'otherSupport', 'operator'] as const) {
    expect(second[role]).toEqual(first[role]);
  }
  const headers = { authorization: `Bearer ${second.customer.apiKey}` };
  const list = await json<{ items: unknown[] }>(`${second.apiUrl}/v1/numbers?status=APPROVED`, { headers });
  expect(list.items).toHaveLength(2);
  const mails = await json<{ total: number }>(`${second.mailUrl}/api/v1/messages`);
  expect(mails.total).toBe(13);
});

test('what a killed supervisor leaves behind is ended by the next start', { timeout: 180_000 }, async () => {
  const left = pids();
  supervisor.kill('SIGKILL');
  await once(supervisor, 'exit');
  expect(bornOf(left['postgres'] ?? 0)).not.toBeNull();

  const third = await start();
  expect(output).toContain('An earlier run was cut off');
  for (const pid of Object.values(left)) expect(bornOf(pid)).toBeNull();
  expect(third.customer).toEqual(first.customer);
  expect(await request(`${third.apiUrl}/readyz`)).toBe(200);
});

test('a reset wipes everything', async () => {
  supervisor.kill('SIGINT');
  const [code] = await once(supervisor, 'exit', { signal: AbortSignal.timeout(15_000) });
  expect(code).toBe(0);
  const { stdout } = await run('dev/reset.ts');
  expect(stdout).toContain(`Wiped ${stack}`);
  expect(existsSync(stack) ? readdirSync(stack) : []).toEqual([]);
});
