import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSender, type Sender } from '../../delivery/sender.ts';
import { resolveAll } from '../../targets/target-url.ts';

let server: Server;
let sender: Sender;
let url: string;
/** How many requests came by each connection. */
let served: Map<Socket, number>;
/** From which request on a connection breaks without an answer. */
let breaksFrom: number;

beforeEach(async () => {
  served = new Map();
  server = createServer((request, response) => {
    const count = (served.get(request.socket) ?? 0) + 1;
    served.set(request.socket, count);
    if (count >= breaksFrom) request.socket.destroy();
    else response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const sampleEndpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  url = `http://${sampleEndpoint}/`;
  sender = createSender({ allowHttp: true, sampleEndpoint }, resolveAll());
});
afterEach(async () => {
  await sender.close();
  server.close();
  server.closeAllConnections();
});
const send = async () => (await sender.send(url, '{}', {}, new Date())).attempt.status;

test('a kept connection that breaks is made anew within the same try', async () => {
  breaksFrom = 2;
  for (let n = 0; n < 5; n++) expect(await send()).toBe(200);
  expect(Math.max(...served.values())).toBe(2);
});

test('a new connection that breaks is a failure at once', async () => {
  breaksFrom = 1;
  expect(await send()).toBeNull();
  expect([...served.values()]).toEqual([1]);
});
