/**
 * The sample customer endpoint: takes a POST at any path, for instance `/incoming` and `/statuses`, checks its
 * Standard Webhooks signature, and shows it. How it answers can be changed, to see what a sick endpoint does.
 */
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Fastify, { type FastifyReply } from 'fastify';
import { z } from 'zod';
import { keepDocument, readDocument } from '../json-file.ts';
import { endpointPage } from './pages.ts';
import { Receipts } from './receipts.ts';

const MAX_BODY_BYTES = 8 * 1024 * 1024;
const LONGEST_HANG_MS = 600_000;

const path = z.string().startsWith('/');
const secretsSchema = z.record(z.string(), z.array(z.string()));
const secretSchema = z.object({ path, secrets: z.array(z.string().min(1)).max(10) });
/** A form adds one secret. */
const addedSecretSchema = z.object({ path, secret: z.string().trim().min(1) });

const answerSchema = z.object({
  /** `*` for all paths that have none of their own. */
  path: z.union([path, z.literal('*')]).default('*'),
  status: z.coerce.number().int().min(200).max(599).default(200),
  delayMs: z.coerce.number().int().min(0).max(LONGEST_HANG_MS).default(0),
  /** Address for a 302. */
  redirectTo: z.preprocess((value) => value || undefined, z.url().optional()),
  /** Seconds, in Retry-After. */
  retryAfter: z.preprocess((value) => value || undefined, z.coerce.number().int().optional()),
  /** Takes the request and never answers. */
  hang: z.union([z.boolean(), z.stringbool()]).default(false),
  /** For so many requests; then 200 again. Without it, for all. */
  count: z.preprocess((value) => value || undefined, z.coerce.number().int().min(1).optional()),
});
export type EndpointAnswer = z.output<typeof answerSchema>;

export interface SampleEndpoint {
  url: string;
  receipts: Receipts;
  close(): Promise<void>;
}

export interface EndpointOptions {
  /** On 127.0.0.1; 0 picks one. */
  port: number;
  /** Where secrets are kept over restarts; without it, in memory. */
  folder?: string;
}

export async function startEndpoint({ port, folder }: EndpointOptions): Promise<SampleEndpoint> {
  const file = folder && join(folder, 'secrets.json');
  const receipts = new Receipts((file ? readDocument(file, secretsSchema) : undefined) ?? {});
  const document = keepDocument(file || undefined, () => receipts.secrets);
  const answers = new Map<string, EndpointAnswer>();
  const closed = new AbortController();

  const app = Fastify({ bodyLimit: MAX_BODY_BYTES, forceCloseConnections: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', { parseAs: 'string' }, async (_request: unknown, body: unknown) => body);
  app.setErrorHandler((error, _request, reply) => {
    const wrong = error instanceof z.ZodError;
    const { message, statusCode = 500 } = error as Error & { statusCode?: number };
    return reply.code(wrong ? 400 : statusCode).send({ message: wrong ? z.prettifyError(error) : message });
  });
  app.get('/', async (_request, reply) => endpointPage(reply, receipts, [...answers.values()]));
  app.get('/healthz', async () => ({ status: 'ok' }));
  app.get('/received', async (request) => {
    const asked = z.object({ path: path.optional(), type: z.string().optional() }).parse(request.query);
    const items = receipts.kept.filter(
      (receipt) =>
        (asked.path ?? receipt.path) === receipt.path && (asked.type ?? receipt.type) === receipt.type,
    );
    return { total: receipts.total, items };
  });
  app.delete('/received', async (_request, reply) => {
    receipts.kept.length = 0;
    return reply.code(204).send();
  });

  const know = (at: string, secrets: string[]): void => {
    try {
      receipts.know(at, secrets);
    } catch {
      throw Object.assign(new Error('A secret is whsec_ and base64.'), { statusCode: 400 });
    }
    document.changed();
  };
  app.put('/control/secret', async ({ body }) => {
    const { path: at, secrets } = secretSchema.parse(fieldsOf(body));
    know(at, secrets);
    return { path: at, secrets: secrets.length };
  });
  app.post('/control/secret', async ({ body }, reply) => {
    const { path: at, secret } = addedSecretSchema.parse(fieldsOf(body));
    know(at, [secret, ...(receipts.secrets[at] ?? []).filter((known) => known !== secret)].slice(0, 10));
    return reply.redirect('/', 303);
  });
  app.post('/control/answer', async ({ body, headers }, reply) => {
    const answer = answerSchema.parse(fieldsOf(body));
    answers.set(answer.path, answer);
    return isForm(headers) ? reply.redirect('/', 303) : answer;
  });

  app.post('/*', async ({ url, headers, body }, reply) => {
    const at = url.split('?', 1)[0] ?? '';
    const answer = take(answers, at);
    receipts.add(at, headers, String(body ?? ''), answer?.hang ? null : statusOf(answer));
    return respond(reply, answer, closed.signal);
  });

  await app.listen({ host: '127.0.0.1', port });
  return {
    url: `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`,
    receipts,
    async close() {
      closed.abort();
      document.flush();
      await app.close();
    },
  };
}

/** The answer that is set for a path, or for all; one that is set for a number of requests is used up. */
function take(answers: Map<string, EndpointAnswer>, at: string): EndpointAnswer | undefined {
  const answer = answers.get(at) ?? answers.get('*');
  if (answer?.count !== undefined) {
    if (answer.count > 1) answers.set(answer.path, { ...answer, count: answer.count - 1 });
    else answers.delete(answer.path);
  }
  return answer;
}

function statusOf(answer: EndpointAnswer | undefined): number {
  return answer?.redirectTo === undefined ? (answer?.status ?? 200) : 302;
}

async function respond(
  reply: FastifyReply,
  answer: EndpointAnswer | undefined,
  closed: AbortSignal,
): Promise<FastifyReply> {
  const wait = answer?.hang ? LONGEST_HANG_MS : (answer?.delayMs ?? 0);
  if (wait > 0) await sleep(wait, undefined, { signal: closed, ref: false }).catch(() => {});
  if (answer?.hang) {
    reply.raw.destroy();
    return reply.hijack();
  }
  if (answer?.redirectTo !== undefined) reply.header('location', answer.redirectTo);
  if (answer?.retryAfter !== undefined) reply.header('retry-after', answer.retryAfter);
  return reply.code(statusOf(answer)).send();
}

const isForm = (headers: Record<string, unknown>) =>
  String(headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded');

/** Of JSON, or of a form. */
function fieldsOf(body: unknown): unknown {
  const text = String(body ?? '');
  try {
    return JSON.parse(text);
  } catch {
    return Object.fromEntries(new URLSearchParams(text));
  }
}
