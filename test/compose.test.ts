/** docker-compose.yml, Dockerfile and .env.example against each other and against the configuration. */
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { parseEnv } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ConfigError, configSchema, loadConfig } from '../contract/config.ts';
import { NextActionAtKey, NumberOwnerKey, NumberStatusKey } from '../contract/messages.ts';
import { NODE_FLAGS } from '../dev/environment.ts';

interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  volumes?: string[];
  restart?: string;
  stop_grace_period?: string;
  healthcheck?: { test: string[]; disable?: boolean };
  depends_on?: Record<string, { condition: string }>;
}

const root = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

const text = read('docker-compose.yml');
const { services, volumes } = parse(text, { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const all = Object.entries(services);
const example = parseEnv(read('.env.example')) as Record<string, string>;
const dockerfile = read('Dockerfile').replaceAll('\\\n', ' ').split('\n');
const packages = JSON.parse(read('package.json')) as {
  scripts: Record<string, string>;
  version: string;
  dependencies: Record<string, string>;
};

/** Services that end: their container is started again only where it failed. */
const isJob = (service: Service) => service.restart?.startsWith('on-failure') ?? false;

/** What Compose makes of `${X}`, `${X:-default}` and `${X:?message}`. Throws the message. */
function interpolate(value: string, env: Record<string, string>): string {
  // The innermost first: a default may hold a variable.
  const inner = value.replaceAll(
    /\$\{(\w+)(?::([-?])([^{}]*))?\}/g,
    (_, name: string, operator?: string, rest = '') => {
      if (env[name]) return env[name];
      if (operator === '?') throw new Error(`${name}: ${rest}`);
      return rest;
    },
  );
  return inner === value ? value : interpolate(inner, env);
}

function environmentOf(service: string, env: Record<string, string>): Record<string, string> {
  const entries = Object.entries(services[service]?.environment ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [name, interpolate(value, env)]));
}

/** .env.example after its secrets were set. */
const secrets = Object.keys(example).filter((name) => /_PASSWORD$|^AUTH_SECRET$/.test(name));
const filled = {
  ...example,
  ...Object.fromEntries(secrets.map((name) => [name, '0123456789abcdef0123456789abcdef'])),
};

const PRODUCT = ['migrate', 'api', 'worker', 'delivery'];

describe('services', () => {
  it.each(all)('%s: its image is an exact version', (name, { image, build }) => {
    expect(image).toMatch(/^[a-z0-9/-]+:v?\d+\.\d+(\.\d+)?(-[a-z]+)?$/);
    // Major and minor only is exact for PostgreSQL alone.
    if (!image.startsWith('postgres:')) expect(image).toMatch(/:v?\d+\.\d+\.\d+$/);
    if (build) expect(image).toBe(`number-approval:${packages.version}`);
    expect(build !== undefined).toBe(PRODUCT.includes(name));
  });

  it.each(all)('%s: either ends, or stays and has a health check', (_, service) => {
    if (isJob(service)) return expect(service.healthcheck).toBeUndefined();
    expect(service.restart).toBe('unless-stopped');
    expect(service.healthcheck?.disable).toBeUndefined();
    expect(service.healthcheck?.test[0]).toBe('CMD');
  });

  it.each(all)('%s: waits for what exists, for jobs to end and for servers to be healthy', (_, service) => {
    for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
      const other = services[needed];
      expect(other, needed).toBeDefined();
      if (!other) continue;
      expect(condition).toBe(isJob(other) ? 'service_completed_successfully' : 'service_healthy');
    }
  });

  it('comes up in the order of a deployment', () => {
    const upstream = (name: string): string[] =>
      Object.keys(services[name]?.depends_on ?? {}).flatMap((needed) => [needed, ...upstream(needed)]);
    expect(upstream('worker')).toEqual(
      expect.arrayContaining(['postgres', 'temporal-schema', 'temporal', 'temporal-namespace', 'migrate']),
    );
    expect(upstream('api')).toContain('migrate');
    expect(upstream('api'), 'submissions are taken without Temporal').not.toContain('temporal');
  });

  it('publishes the API, the Temporal UI and the inbox, on 127.0.0.1, and no metrics', () => {
    const published = all.flatMap(([name, { ports = [] }]) => ports.map((port) => [name, port] as const));
    expect(published.map(([name]) => name).sort()).toEqual(['api', 'mailpit', 'temporal-ui']);
    for (const [name, port] of published) {
      const [address, , inside] = interpolate(port, filled).split(':');
      expect(address).toBe('127.0.0.1');
      expect(inside).not.toBe(services[name]?.environment?.['METRICS_PORT']);
    }
    expect(published.find(([name]) => name === 'api')?.[1]).toMatch(
      new RegExp(`:${services['api']?.environment?.['PORT']}$`),
    );
  });

  it('mounts what is there', () => {
    const mounts = all
      .flatMap(([, service]) => service.volumes ?? [])
      .map((mount) => mount.split(':')[0] ?? '');
    const files = mounts.filter((mount) => mount.startsWith('./'));
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    expect(mounts.filter((mount) => !mount.startsWith('./')).sort()).toEqual(Object.keys(volumes).sort());
  });

  it.each(PRODUCT)('%s: runs a file of the project', (name) => {
    const [node, ...rest] = services[name]?.command ?? [];
    const file = rest.pop() ?? '';
    expect([node, rest]).toEqual(['node', name === 'api' || name === 'delivery' ? NODE_FLAGS : []]);
    expect(existsSync(join(root, file)), file).toBe(true);
  });

  it('asks worker and API for their health where they serve it', () => {
    const ports = services['api']?.environment;
    for (const name of ['worker', 'delivery']) {
      expect(services[name]?.healthcheck?.test.join(' ')).toContain(`:${ports?.['METRICS_PORT']}/readyz`);
    }
    expect(services['api']?.healthcheck?.test.join(' ')).toContain(`:${ports?.['PORT']}/readyz`);
  });

  it('gives a worker more time to stop than it takes', () => {
    const { SHUTDOWN_GRACE_SECONDS } = loadConfig(environmentOf('worker', filled));
    // The SDK gives up 5 seconds after the grace.
    for (const name of ['worker', 'delivery']) {
      expect(Number.parseInt(services[name]?.stop_grace_period ?? '', 10)).toBeGreaterThan(
        SHUTDOWN_GRACE_SECONDS + 5,
      );
    }
  });
});

describe('variables', () => {
  it.each(PRODUCT)('%s: sets only what the configuration knows', (name) => {
    const names = Object.keys(services[name]?.environment ?? {});
    const set = dockerfile
      .filter((line) => line.startsWith('ENV '))
      .flatMap((line) => line.match(/\w+(?==)/g) ?? []);
    expect(set).toContain('WORKFLOW_BUNDLE');
    expect([...names, ...set].filter((known) => !Object.hasOwn(configSchema.shape, known))).toEqual([]);
  });

  it('.env.example has every variable that is used, and no other', () => {
    const used = [...text.matchAll(/\$\{(\w+)/g)].map(([, name]) => name);
    expect(Object.keys(example).sort()).toEqual([...new Set(used)].sort());
  });

  it('.env.example explains every variable', () => {
    const lines = read('.env.example').split('\n');
    const bare = lines.filter((line, index) => /^\w+=/.test(line) && !lines[index - 1]?.startsWith('#'));
    expect(bare).toEqual([]);
  });

  it('has no password of its own, and says which one is missing', () => {
    expect(secrets.sort()).toEqual([
      'AUTH_SECRET',
      'NUMBERS_DB_PASSWORD',
      'POSTGRES_PASSWORD',
      'TEMPORAL_DB_PASSWORD',
    ]);
    for (const name of secrets) {
      expect(example[name]).toBe('');
      const uses = [...text.matchAll(new RegExp(`\\$\\{${name}\\b(.*?)\\}`, 'g'))].map(([, rest]) => rest);
      expect(uses.length).toBeGreaterThan(0);
      expect(uses.filter((rest) => !rest?.startsWith(':?'))).toEqual([]);
    }
    const settings = all.flatMap(([, service]) => Object.entries(service.environment ?? {}));
    const given = settings.filter(([name]) => /PASSWORD|PWD|SECRET|API_KEY/.test(name));
    expect(given.length).toBeGreaterThan(0);
    // Required, or those of a part that is off.
    expect(given.filter(([, value]) => !/^\$\{\w+:(\?.+|-)\}$/.test(value))).toEqual([]);
    expect(() => environmentOf('api', example)).toThrow(/^\w+: set it in \.env/);
  });

  it.each(PRODUCT)('%s: starts with .env.example', (name) => {
    const config = loadConfig(environmentOf(name, filled));
    expect(config.NODE_ENV).toBe('production');
    expect(new URL(config.DATABASE_URL).password).toBe(filled['NUMBERS_DB_PASSWORD']);
    // The interpolation above is not so lenient that anything would pass.
    expect(() => loadConfig({ ...environmentOf(name, filled), DATABASE_URL: 'nowhere' })).toThrow(
      ConfigError,
    );
  });

  it('uses the values of .env.example where a variable is left out', () => {
    const passwords = Object.fromEntries(secrets.map((secret) => [secret, filled[secret] ?? '']));
    for (const name of Object.keys(services)) {
      expect(environmentOf(name, passwords), name).toEqual(environmentOf(name, filled));
    }
    const ports = all.flatMap(([, service]) => service.ports ?? []);
    expect(ports.map((port) => interpolate(port, {}))).toEqual(
      ports.map((port) => interpolate(port, example)),
    );
  });

  it('registers the search attributes of the contract', () => {
    const script = read('deploy/temporal-namespace.sh');
    const registered = [...script.matchAll(/--name (\w+) --type (\w+)/g)].map(([, name, type]) => [
      name,
      type?.toUpperCase(),
    ]);
    const keys = [NumberStatusKey, NextActionAtKey, NumberOwnerKey];
    expect(registered).toEqual(keys.map((key) => [key.name, key.type]));
  });
});

describe('image', () => {
  const words = dockerfile.map((line) => line.trim().split(/\s+/));
  const stages = words
    .filter(([instruction]) => instruction === 'FROM')
    .map(([, from, , name]) => ({ from, name }));
  const copied = words
    .filter(([instruction, option]) => instruction === 'COPY' && !option?.startsWith('--from'))
    .flatMap(([, ...paths]) => paths.slice(0, -1));
  const final = dockerfile.slice(dockerfile.findLastIndex((line) => line.startsWith('FROM ')));

  it('runs the Node that the project brings, on glibc', () => {
    const images = stages.map(({ from }) => from).filter((from) => !stages.some(({ name }) => name === from));
    expect(images).toEqual([`node:${packages.dependencies['node']}-bookworm-slim`]);
  });

  it('copies what is there, and what .dockerignore lets through', () => {
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    const sent = [...read('.dockerignore').matchAll(/^!(.+)$/gm)].map(([, path]) => path);
    expect([...new Set(copied)].sort()).toEqual(sent.sort());
  });

  it('holds every file that its files import', () => {
    const sources = copied.filter((path) => !/json$|LICENSE/.test(path));
    const files = globSync(
      sources.map((path) => (path.endsWith('.ts') ? path : `${path}/**/*.ts`)),
      { cwd: root },
    );
    const missing = files.flatMap((file) =>
      [...read(file).matchAll(/^(?:import|export) (?!type )[^;]*?from '(\.[^']+)'/gm)]
        .map(([, path = '']) => normalize(join(dirname(file), path)))
        .filter((path) => !sources.some((source) => path === source || path.startsWith(`${source}/`))),
    );
    expect(files.length).toBeGreaterThan(20);
    expect(missing).toEqual([]);
  });

  it('runs the API, and delivery, as the other ways to start them do', () => {
    const command = ['node', ...NODE_FLAGS, 'api/main.ts'];
    expect(final).toContain(`CMD ${JSON.stringify(command).replaceAll(',', ', ')}`);
    for (const name of ['api', 'delivery']) {
      expect(packages.scripts[name]).toContain(`node ${NODE_FLAGS.join(' ')} `);
    }
  });

  it('runs as an ordinary user and says how it is', () => {
    expect(final).toContain('USER node');
    expect(final.some((line) => line.startsWith('HEALTHCHECK '))).toBe(true);
    expect(final.some((line) => line.includes('ca-certificates'))).toBe(true);
  });
});

describe('docs/operations.md', () => {
  it('lists every variable of the configuration with its default', () => {
    const rows = [...read('docs/operations.md').matchAll(/^\| `([A-Z0-9_]+)` \| ([^|]*) \|/gm)];
    const defaults = loadConfig({ DATABASE_URL: 'postgres://localhost/numbers' }) as Record<string, unknown>;
    expect(rows.map(([, name]) => name)).toEqual(Object.keys(configSchema.shape));
    for (const [, name = '', cell = ''] of rows) {
      if (name === 'DATABASE_URL') expect(cell).toBe('required');
      else if (cell === 'unset') expect(defaults[name], name).toBeUndefined();
      else {
        const shown = cell.replaceAll('`', '');
        const read = loadConfig({ DATABASE_URL: 'postgres://localhost/numbers', [name]: shown });
        expect(read[name as keyof typeof read], name).toEqual(defaults[name]);
      }
    }
  });
});
