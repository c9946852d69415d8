/** The methods of the client, from what its operations say. */
import { type Answered, call, type Request, type Settings } from './call.ts';
import type { MethodOf, Operation, Pages, WriteOptions } from './operation.ts';

export function methodOf<O extends Operation>(settings: Settings, operation: O): MethodOf<O> {
  const method = (...args: unknown[]) => {
    const request = requestOf(operation, args);
    if (operation.page) return pagesOf(settings, request);
    return call(settings, request).then((answer) => answerOf(operation, answer));
  };
  return method as unknown as MethodOf<O>;
}

/** The arguments in the order of their types: ids of the path, body or file, query, options. */
function requestOf({ call: named, query, body, file, reads }: Operation, args: unknown[]): Request {
  const [method = '', template = ''] = named.split(' ');
  const path = template.replace(/\{\w+\}/g, () => encodeURIComponent(String(args.shift())));
  const sent = file || body ? args.shift() : undefined;
  const asked = query ? search(args.shift() as Record<string, unknown> | undefined) : '';
  const { signal, deadlineMs, idempotencyKey, ifMatch } = (args.shift() ?? {}) as WriteOptions;
  const key = reads || method === 'GET' ? null : (idempotencyKey ?? crypto.randomUUID());
  return {
    method,
    path: path + asked,
    signal,
    deadlineMs,
    idempotencyKey: key,
    headers: {
      ...(key !== null && { 'idempotency-key': key }),
      ...(ifMatch !== undefined && { 'if-match': `"${ifMatch}"` }),
      ...(!file && sent !== undefined && { 'content-type': 'application/json' }),
    },
    ...(sent !== undefined && { body: file ? form(sent as Blob) : JSON.stringify(sent) }),
  };
}

export function search(query: Record<string, unknown> = {}): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => (one === undefined ? [] : [[name, String(one)] as [string, string]])),
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

function form(file: Blob): FormData {
  const data = new FormData();
  data.set('file', file);
  return data;
}

function answerOf({ answer, bytes }: Operation, { status, headers, bytes: body }: Answered): unknown {
  if (bytes) return { contentType: headers.get('content-type') ?? '', bytes: body };
  if (!answer) return undefined;
  return status === 204 ? null : read(body);
}

function pagesOf(settings: Settings, request: Request): Pages<unknown> {
  const page = async (cursor?: string) => {
    const url = new URL(request.path, 'http://here');
    if (cursor !== undefined) url.searchParams.set('cursor', cursor);
    const { bytes } = await call(settings, { ...request, path: url.pathname + url.search });
    return read(bytes) as { items: unknown[]; nextCursor: string | null };
  };
  return {
    page,
    async *[Symbol.asyncIterator]() {
      let cursor: string | undefined;
      do {
        const { items, nextCursor } = await page(cursor);
        yield* items;
        cursor = nextCursor ?? undefined;
      } while (cursor !== undefined);
    },
  };
}

function read(bytes: Uint8Array): unknown {
  return JSON.parse(new TextDecoder().decode(bytes));
}
