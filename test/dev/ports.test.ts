import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { choosePorts } from '../../dev/ports.ts';

const ANY = {
  PORT: '0',
  METRICS_PORT: '0',
  TEMPORAL_PORT: '0',
  TEMPORAL_UI_PORT: '0',
  POSTGRES_PORT: '0',
  SMTP_PORT: '0',
  MAIL_PORT: '0',
  META_PORT: '0',
  ENDPOINT_PORT: '0',
};

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}

async function choose(env: NodeJS.ProcessEnv) {
  const said: string[] = [];
  return { ports: await choosePorts(env, (line) => said.push(line)), said };
}

test('0 picks free ports, all different', async () => {
  const { ports, said } = await choose(ANY);
  const chosen = Object.values(ports);
  expect(chosen).toHaveLength(11);
  expect(new Set(chosen).size).toBe(11);
  for (const port of chosen) await listen(port);
  expect(said).toEqual([]);
});

test('a port that is asked for is used', async () => {
  const { ports: free } = await choose(ANY);
  const { ports } = await choose({ ...ANY, MAIL_PORT: String(free.PORT) });
  expect(ports.MAIL_PORT).toBe(free.PORT);
});

test('a taken port that is asked for is an error that names the variable', async () => {
  const { port } = (await listen(0)).address() as AddressInfo;
  await expect(choose({ ...ANY, SMTP_PORT: String(port) })).rejects.toThrow(
    `SMTP_PORT=${port}: this port is taken`,
  );
});

test('a port that another process has claimed is taken, also while nothing listens there', async () => {
  const claim = createSocket('udp4').bind({ port: 0, address: '127.0.0.1', exclusive: true });
  await once(claim, 'listening');
  onTestFinished(() => void claim.close());
  const { port } = claim.address();
  await expect(choose({ ...ANY, PORT: String(port) })).rejects.toThrow(`PORT=${port}: this port is taken`);
});

test('one port asked for twice is an error', async () => {
  const port = String((await choose(ANY)).ports.PORT);
  await expect(choose({ ...ANY, SMTP_PORT: port, MAIL_PORT: port })).rejects.toThrow(`MAIL_PORT=${port}`);
});

test('what is not a port is an error that names the variable', async () => {
  for (const wrong of ['70000', '-1', 'web', '80.5']) {
    await expect(choose({ ...ANY, PORT: wrong })).rejects.toThrow(`PORT=${wrong} is not a port`);
  }
});

test('a taken default gives way to a free port, and that is said', async () => {
  const blocker = createServer();
  // Whether another process holds the port or this one does is the same to the stack.
  const taken = new Promise<void>((resolve) => {
    blocker.once('error', () => resolve());
    blocker.listen(1025, '127.0.0.1', () => resolve());
  });
  await taken;
  onTestFinished(() => void blocker.close());
  const { ports, said } = await choose({ ...ANY, SMTP_PORT: '' });
  expect(ports.SMTP_PORT).not.toBe(1025);
  expect(said).toEqual([`Port 1025 (SMTP_PORT) is taken; using ${ports.SMTP_PORT} instead.`]);
});
