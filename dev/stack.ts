/** The order in which the parts of the stack are started and stopped. */
import { rmSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { migrateDatabase } from '../db/migrate.ts';
import { type Credentials, credentialsFile } from './credentials.ts';
import { endEarlierRun } from './earlier-run.ts';
import { META_WEBHOOK_PATH, NODE_FLAGS, ownParts, partEnvironment } from './environment.ts';
import { Fault } from './fault.ts';
import { authSecret, createStackFolder, lockStackFolder, projectFolder, writeSecret } from './folder.ts';
import { Part, type PartName, type PartPlan, STOP_ORDER } from './part.ts';
import { choosePorts, type PortName, type Ports } from './ports.ts';
import { planPostgres } from './postgres.ts';
import { ProcessRecord } from './processes.ts';
import { findTemporalCli } from './programs.ts';
import { seed } from './seed.ts';
import { planTemporal } from './temporal.ts';
import { answers, until } from './until.ts';

export interface StackOptions {
  path: string;
  env: NodeJS.ProcessEnv;
  say: (line: string) => void;
  /** Aborting it ends a start that is under way. */
  signal: AbortSignal;
}

export class Stack {
  readonly #options: StackOptions;
  readonly #parts: Part[] = [];
  #record: ProcessRecord | null = null;
  #lock: { release(): void } | null = null;

  constructor(options: StackOptions) {
    this.#options = options;
  }

  /** Starts everything; when it resolves, each address of the credentials answers. */
  async start(): Promise<Credentials> {
    const { path, env, say } = this.#options;
    createStackFolder(path);
    this.#lock = lockStackFolder(path);
    const record = new ProcessRecord(join(path, 'pids.json'));
    if (!this.#lock) {
      const holder = record.living('supervisor');
      throw new Fault(
        `The stack in ${path} is running already${holder ? ` (process ${holder})` : ''}. Use that one, stop it, or set STACK_DIR to another folder.`,
      );
    }
    this.#record = record;
    rmSync(credentialsFile(path), { force: true });
    await endEarlierRun(record, say);
    record.set('supervisor', process.pid);

    const own = ownParts(env);
    const unused = new Set<PortName>([
      ...(own.databaseUrl ? (['POSTGRES_PORT'] as const) : []),
      ...(own.temporalAddress ? (['TEMPORAL_PORT', 'TEMPORAL_UI_PORT'] as const) : []),
      ...(own.smtpUrl ? (['SMTP_PORT', 'MAIL_PORT'] as const) : []),
      ...(own.metaGraphUrl ? (['META_PORT'] as const) : []),
    ]);
    const ports = await choosePorts(env, say, unused);
    const apiUrl = `http://127.0.0.1:${ports.PORT}`;
    const [database, temporal, mail, simulatorUrl, endpointUrl] = await this.#together([
      (signal) => this.#startDatabase(ports, signal),
      (signal) => this.#startTemporal(ports, signal),
      (signal) => this.#startInbox(ports, signal),
      (signal) => this.#startMeta(ports, apiUrl, signal),
      (signal) => this.#startEndpoint(ports, signal),
    ]);
    const { databaseUrl, people } = database;
    const environment = partEnvironment(
      env,
      { apiUrl, databaseUrl, simulatorUrl, ...temporal, ...mail },
      ports,
      authSecret(path),
    );
    const workerUrl = `http://127.0.0.1:${ports.WORKER_METRICS_PORT}`;
    const deliveryUrl = `http://127.0.0.1:${ports.DELIVERY_METRICS_PORT}`;
    say('Starting the API, the worker and forwarding …');
    await this.#together([
      (signal) => this.#run(this.#nodePart('api', 'The API', environment.api, `${apiUrl}/readyz`), signal),
      (signal) =>
        this.#run(this.#nodePart('worker', 'The worker', environment.worker, `${workerUrl}/readyz`), signal),
      (signal) =>
        this.#run(
          this.#nodePart('delivery', 'Forwarding', environment.delivery, `${deliveryUrl}/readyz`),
          signal,
        ),
    ]);
    const credentials: Credentials = {
      apiUrl,
      consoleUrl: null,
      temporalUiUrl: temporal.temporalUiUrl,
      temporalAddress: temporal.temporalAddress,
      databaseUrl,
      mailUrl: mail.mailUrl,
      metaUrl: own.metaGraphUrl ?? simulatorUrl ?? '',
      endpointUrl,
      ...people,
    };
    say(
      `Metrics: http://127.0.0.1:${ports.METRICS_PORT}/metrics, ${workerUrl}/metrics and ${deliveryUrl}/metrics.`,
    );
    writeSecret(credentialsFile(path), credentials);
    return credentials;
  }

  /** Stops what was started, in order. Goes on when a part makes trouble. */
  async stop(): Promise<void> {
    const record = this.#record;
    if (record) rmSync(credentialsFile(this.#options.path), { force: true });
    for (const name of STOP_ORDER) {
      const part = this.#parts.find((candidate) => candidate.plan.name === name);
      await part
        ?.stop()
        .catch((error) => this.#options.say(`${part.plan.title} could not be stopped: ${error}`));
    }
    record?.remove('supervisor');
    this.#lock?.release();
  }

  /** Runs steps side by side. When one fails the others are ended, and all have ended when this throws. */
  async #together<T extends readonly unknown[]>(
    steps: {
      [K in keyof T]: (signal: AbortSignal) => Promise<T[K]>;
    },
  ): Promise<T> {
    const failed = new AbortController();
    const signal = AbortSignal.any([this.#options.signal, failed.signal]);
    let first: unknown;
    const results = await Promise.allSettled(
      steps.map((step) =>
        step(signal).catch((error) => {
          if (!signal.aborted) first = error;
          failed.abort();
          throw error;
        }),
      ),
    );
    this.#options.signal.throwIfAborted();
    if (failed.signal.aborted) throw first;
    return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as unknown as T;
  }

  async #run(plan: PartPlan, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const record = this.#record;
    if (!record) throw new Error('The stack is not locked.');
    const part = new Part(plan, { record, say: this.#options.say });
    this.#parts.push(part);
    await part.start(signal);
  }

  async #startDatabase(ports: Ports, signal: AbortSignal) {
    const { path, env, say } = this.#options;
    let { databaseUrl } = ownParts(env);
    if (databaseUrl === undefined) {
      const planned = await planPostgres({ stack: path, port: ports.POSTGRES_PORT, say, signal });
      await this.#run(planned.plan, signal);
      databaseUrl = planned.databaseUrl;
      say(`PostgreSQL is up on 127.0.0.1:${ports.POSTGRES_PORT}.`);
    }
    try {
      const url = databaseUrl;
      const filled = migrateDatabase({ DATABASE_URL: url, DATABASE_POOL: 2 }).then(() => seed(url, path));
      // A database of one's own may hold us up; Ctrl-C ends the wait.
      return { databaseUrl, people: await Promise.race([filled, aborted(signal)]) };
    } catch (error) {
      if (!ownParts(env).databaseUrl) throw error;
      const reason = [error, (error as Error).cause].findLast((part) => part instanceof Error) as Error;
      throw new Fault(
        `DATABASE_URL: the database cannot be used (${reason.message}). Put it right, or unset it.`,
      );
    }
  }

  async #startTemporal(ports: Ports, signal: AbortSignal) {
    const { path: stack, env, say } = this.#options;
    const { temporalAddress, temporalUiUrl, temporalNamespace: namespace } = ownParts(env);
    if (temporalAddress !== undefined) {
      await reach(temporalAddress);
      return { temporalAddress, temporalUiUrl: temporalUiUrl ?? null };
    }
    const program = await findTemporalCli({ env, onProgress: say, signal });
    const planned = planTemporal({ stack, program, ports, namespace });
    await this.#run(planned.plan, signal);
    say(`The Temporal server is up on ${planned.address}.`);
    return { temporalAddress: planned.address, temporalUiUrl: planned.uiUrl };
  }

  async #startInbox(ports: Ports, signal: AbortSignal) {
    const { smtpUrl } = ownParts(this.#options.env);
    if (smtpUrl !== undefined) return { smtpUrl, mailUrl: null };
    const mailUrl = `http://127.0.0.1:${ports.MAIL_PORT}`;
    const plan = this.#nodePart('inbox', 'The inbox', process.env, `${mailUrl}/api/v1/messages?limit=1`);
    plan.args.push(join(this.#options.path, 'mail'), String(ports.SMTP_PORT), String(ports.MAIL_PORT));
    await this.#run(plan, signal);
    return { smtpUrl: `smtp://127.0.0.1:${ports.SMTP_PORT}`, mailUrl };
  }

  async #startMeta(ports: Ports, apiUrl: string, signal: AbortSignal): Promise<string | null> {
    if (ownParts(this.#options.env).metaGraphUrl !== undefined) return null;
    const url = `http://127.0.0.1:${ports.META_PORT}`;
    const plan = this.#nodePart('meta', 'The Meta simulator', process.env, `${url}/healthz`);
    plan.args.push(join(this.#options.path, 'meta'), String(ports.META_PORT), apiUrl + META_WEBHOOK_PATH);
    await this.#run(plan, signal);
    return url;
  }

  async #startEndpoint(ports: Ports, signal: AbortSignal): Promise<string> {
    const url = `http://127.0.0.1:${ports.ENDPOINT_PORT}`;
    const plan = this.#nodePart('endpoint', 'The sample endpoint', process.env, `${url}/healthz`);
    plan.args.push(join(this.#options.path, 'endpoint'), String(ports.ENDPOINT_PORT));
    await this.#run(plan, signal);
    return url;
  }

  #nodePart(
    name: Exclude<PartName, 'temporal' | 'postgres'>,
    title: string,
    env: NodeJS.ProcessEnv,
    readyUrl: string,
  ): PartPlan {
    return {
      name,
      title,
      command: process.execPath,
      args: [
        ...(name === 'api' || name === 'delivery' ? NODE_FLAGS : []),
        join(projectFolder, isProduct(name) ? name : `dev/${name}`, 'main.ts'),
      ],
      env,
      cwd: projectFolder,
      logFile: join(this.#options.path, 'logs', `${name}.log`),
      startSeconds: 120,
      ready: (signal) => until(() => answers(readyUrl), signal),
    };
  }
}

function isProduct(name: PartName): boolean {
  return name === 'api' || name === 'worker' || name === 'delivery';
}

/** Checks that something listens at `host:port`. */
async function reach(address: string): Promise<void> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  const error = await new Promise<Error | null>((resolve) => {
    const socket = connect({ host: host.replace(/^\[|\]$/g, ''), port: Number(port) });
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer within 5 s')));
    socket.once('connect', () => resolve(null));
    socket.once('error', resolve);
    socket.once('connect', () => socket.destroy());
  });
  if (error)
    throw new Fault(
      `TEMPORAL_ADDRESS=${address} cannot be reached (${error.message}). Start it, or unset it.`,
    );
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
