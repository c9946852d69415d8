/** One PostgreSQL and one workflow bundle for the whole run; the programs of Temporal are fetched if need be. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { createStackFolder } from '../dev/folder.ts';
import { Part } from '../dev/part.ts';
import { choosePorts } from '../dev/ports.ts';
import { planPostgres } from '../dev/postgres.ts';
import { ProcessRecord } from '../dev/processes.ts';
import { findTemporalCli, findTestServer } from '../dev/programs.ts';
import { bundleWorkflows } from '../worker/bundle.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** A file with the bundled workflows. */
    workflowBundle: string;
    /** Programs. */
    temporalCli: string;
    temporalTestServer: string;
  }
}

export default async function setup(project: TestProject) {
  const folder = mkdtempSync(join(tmpdir(), 'numbers-test-'));
  createStackFolder(folder);
  const say = (line: string) => console.log(line);

  const postgres = startPostgres(folder, say);
  const bundle = join(folder, 'workflows.js');
  const [databaseUrl, temporalCli, temporalTestServer] = await Promise.all([
    process.env['TEST_DATABASE_URL'] ?? postgres.then((started) => started.databaseUrl),
    findTemporalCli({ onProgress: say }),
    findTestServer({ onProgress: say }),
    bundleWorkflows().then((code) => writeFile(bundle, code)),
  ]);
  project.provide('databaseUrl', databaseUrl);
  project.provide('temporalCli', temporalCli);
  project.provide('temporalTestServer', temporalTestServer);
  project.provide('workflowBundle', bundle);

  return async () => {
    await (await postgres).stop();
    rmSync(folder, { recursive: true, force: true });
  };
}

async function startPostgres(folder: string, say: (line: string) => void) {
  if (process.env['TEST_DATABASE_URL']) return { databaseUrl: '', stop: async () => {} };
  const ports = await choosePorts({ POSTGRES_PORT: '0' }, () => {});
  const never = new AbortController().signal;
  const { plan, databaseUrl } = await planPostgres({
    stack: folder,
    port: ports.POSTGRES_PORT,
    say,
    signal: never,
  });
  // Nothing of a test has to survive a power cut.
  const args = [...plan.args, '-c', 'fsync=off', '-c', 'synchronous_commit=off'];
  const part = new Part(
    { ...plan, args },
    {
      record: new ProcessRecord(join(folder, 'pids.json')),
      say,
    },
  );
  await part.start(never);
  return { databaseUrl, stop: () => part.stop() };
}
