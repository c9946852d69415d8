/** One call to the Graph API: with a deadline, no redirects, and an answer of bounded size. */
import { GraphError, readGraphError } from './graph-error.ts';

/** Of the Graph API. Meta keeps one for two years. */
const GRAPH_VERSION = 'v26.0';
const MAX_ANSWER = 1024 * 1024;

export interface CallOptions {
  /** What is done, for errors and logs: no ids, no numbers. */
  name: string;
  method: 'GET' | 'POST';
  /** Behind the version, with its slash. */
  path: string;
  query?: Record<string, string>;
  json?: Record<string, unknown>;
  bytes?: Buffer;
  headers?: Record<string, string>;
  token: string;
  /** `OAuth` for uploads only. */
  scheme?: 'Bearer' | 'OAuth';
  deadlineMs: number;
  /** What else in the call must not be told. */
  secrets?: readonly string[];
}

export async function callGraph(baseUrl: string, options: CallOptions): Promise<unknown> {
  const { name, method, path, query = {}, json, bytes, headers, token, scheme = 'Bearer' } = options;
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}/${GRAPH_VERSION}${path}`);
  for (const [key, value] of Object.entries(query)) url.searchParams.set(key, value);
  const secrets = [token, ...(options.secrets ?? [])];
  let answer: { status: number; ok: boolean; headers: Headers; body: unknown };
  try {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `${scheme} ${token}`,
        ...(json && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(json && { body: JSON.stringify(json) }),
      ...(bytes && { body: bytes as Buffer<ArrayBuffer> }),
      // What a redirect leads to is no answer of Meta's; the token is not sent there.
      redirect: 'manual',
      signal: AbortSignal.timeout(options.deadlineMs),
    });
    answer = {
      status: response.status,
      ok: response.ok,
      headers: response.headers,
      body: parsed(await bounded(response)),
    };
  } catch (error) {
    throw new GraphError(name, { details: reasonOf(error) });
  }
  const { body } = answer;
  const isError = typeof body === 'object' && body !== null && 'error' in body;
  if (!answer.ok || body === undefined || isError) throw readGraphError(name, answer, secrets);
  return body;
}

async function bounded(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    size += part.length;
    if (size > MAX_ANSWER) throw new Error('The answer is too large');
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of a failed connection, without its address: that may have a token in its query. */
function reasonOf(error: unknown): string {
  const { name, cause } = error as Error;
  const code = cause instanceof Error ? (cause as NodeJS.ErrnoException).code : undefined;
  return code ?? name;
}
