/** A customer's systems: one HTTP server, a path for each target, which answers as it is told to. */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  at: number;
}
type Answer = (response: ServerResponse, received: Received, request: IncomingMessage) => unknown;

export interface Customer {
  /** `host:port`, for SAMPLE_ENDPOINT. */
  endpoint: string;
  url(path: string): string;
  received: Received[];
  /** What came to a path. */
  at(path: string): Received[];
  /** How a path answers from now on; 200 with "ok" where nothing is said. */
  answer(path: string, answer: Answer): void;
  close(): Promise<void>;
}

export async function startCustomer(): Promise<Customer> {
  const received: Received[] = [];
  const answers = new Map<string, Answer>();
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = request.url ?? '';
    const one = { path, headers: request.headers, body: Buffer.concat(chunks).toString(), at: Date.now() };
    received.push(one);
    const answer = answers.get(path);
    if (answer) await answer(response, one, request);
    else response.end('ok');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    endpoint,
    url: (path) => `http://${endpoint}${path}`,
    received,
    at: (path) => received.filter((one) => one.path === path),
    answer: (path, answer) => answers.set(path, answer),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end(`status ${code}`);
