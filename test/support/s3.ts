/** An S3-compatible store of a test's own: `rclone serve s3` over a folder. It refuses wrong signatures. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { choosePorts, type PortName } from '../../dev/ports.ts';
import { findRclone } from '../../dev/programs.ts';
import { until } from '../../dev/until.ts';

export interface TestS3 {
  /** Settings for processes of the product. */
  env: Record<string, string>;
  /** Keys of the objects that there are. */
  keys(): string[];
  /** Takes one away behind the back of the product. */
  remove(key: string): void;
  stop(): Promise<void>;
  start(): Promise<void>;
  close(): Promise<void>;
}

const OTHER_PORTS: PortName[] = [
  'METRICS_PORT',
  'TEMPORAL_PORT',
  'TEMPORAL_UI_PORT',
  'POSTGRES_PORT',
  'SMTP_PORT',
  'MAIL_PORT',
  'META_PORT',
  'ENDPOINT_PORT',
];
const BUCKET = 'pictures';
const READY_MS = 20_000;

export async function startS3(): Promise<TestS3> {
  const program = await findRclone({ onProgress: console.log });
  const folder = mkdtempSync(join(tmpdir(), 'numbers-s3-'));
  mkdirSync(join(folder, BUCKET));
  const ports = await choosePorts({ PORT: '0' }, () => {}, new Set(OTHER_PORTS));
  const endpoint = `http://127.0.0.1:${ports.PORT}`;
  const key = { id: 'AKTEST', secret: 'a-secret-of-tests' };
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    child = spawn(
      program,
      ['serve', 's3', folder, '--addr', `127.0.0.1:${ports.PORT}`, '--auth-key', `${key.id},${key.secret}`],
      {
        // No configuration of whoever runs the tests.
        env: { PATH: process.env['PATH'], RCLONE_CONFIG: join(folder, 'none.conf') },
        stdio: 'ignore',
      },
    );
    // Any answer: without a signature it refuses.
    await until(() => fetch(endpoint, { signal: AbortSignal.timeout(2_000) }), AbortSignal.timeout(READY_MS));
  }
  async function stop(): Promise<void> {
    const gone = new Promise((resolve) => child?.once('close', resolve));
    if (child?.kill('SIGKILL')) await gone;
    child = undefined;
  }

  await start();
  return {
    env: {
      IMAGE_STORE: 's3',
      S3_ENDPOINT: endpoint,
      S3_BUCKET: BUCKET,
      S3_ACCESS_KEY_ID: key.id,
      S3_SECRET_ACCESS_KEY: key.secret,
    },
    keys() {
      const images = join(folder, BUCKET, 'images');
      return existsSync(images) ? readdirSync(images).map((name) => `images/${name}`) : [];
    },
    remove: (key) => rmSync(join(folder, BUCKET, key)),
    start,
    stop,
    async close() {
      await stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
