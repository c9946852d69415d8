/** The stream of changes, without an end: a connection that breaks is resumed where it was. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { z } from 'zod';
import { type StreamEvent, streamEvent, streamQuery } from '../contract/stream.ts';
import type { Answered, Settings } from './call.ts';
import { search } from './methods.ts';
import type { Operation } from './operation.ts';
import { ProblemError } from './problem.ts';
import { mayRetry, waitMs } from './retry.ts';

export const STREAM = {
  id: 'streamChanges',
  call: 'GET /v1/stream',
  query: streamQuery,
  events: streamEvent,
} as const satisfies Operation;

/** The API says something every 15 s; a connection that is silent for so long is lost. */
const SILENT_MS = 45_000;

export type StreamOptions = z.input<typeof streamQuery> & {
  /** Called when the stream has begun: what happens from now on is told. The time to load the lists. */
  onOpen?: () => void;
  /** Ends the stream: it throws the signal's reason. */
  signal?: AbortSignal;
};

/**
 * Events as they come. Every change is told at least once, also over lost connections; `reset` means that the place to
 * resume from is not known any more: load again what you show. Throws a `ProblemError` where the API refuses, e.g. once
 * the key is revoked.
 */
export async function* stream(
  settings: Settings,
  { signal, onOpen, lastEventId, ...query }: StreamOptions = {},
): AsyncGenerator<StreamEvent, never> {
  let place = lastEventId;
  let opened = false;
  let tries = 0;
  for (;;) {
    let after = 0;
    try {
      for await (const { id, event, data } of connect(settings, query, place, signal)) {
        tries = 0;
        if (id !== undefined && !opened) onOpen?.();
        opened ||= id !== undefined;
        place = id ?? place;
        if (data !== undefined) yield { id: place, event, data: JSON.parse(data) } as StreamEvent;
      }
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof ProblemError) {
        if (!mayRetry(error)) throw error;
        after = error.retryAfterMs;
      }
    }
    tries += 1;
    await sleep(waitMs(tries, after, settings.backoff, Math.random()), undefined, { signal }).catch(
      (error) => {
        throw signal?.reason ?? error;
      },
    );
  }
}

interface Block {
  id?: string;
  event?: string;
  data?: string;
}

/** What comes over one connection, to its end. */
async function* connect(
  { baseUrl, apiKey, fetch }: Settings,
  query: Record<string, unknown>,
  place: string | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Block> {
  const ending = new AbortController();
  const silence = setTimeout(() => ending.abort(new Error('The stream is silent.')), SILENT_MS);
  try {
    const response = await fetch(`${baseUrl}/v1/stream${search(query)}`, {
      headers: {
        authorization: `Bearer ${apiKey}`,
        accept: 'text/event-stream',
        ...(place !== undefined && { 'last-event-id': place }),
      },
      redirect: 'manual',
      signal: signal ? AbortSignal.any([signal, ending.signal]) : ending.signal,
    });
    if (response.status !== 200) throw new ProblemError('GET /v1/stream', await whole(response));
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of response.body ?? []) {
      silence.refresh();
      const blocks = (text + decoder.decode(chunk, { stream: true })).split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) yield parse(block);
    }
  } finally {
    clearTimeout(silence);
    ending.abort();
  }
}

async function whole(response: Response): Promise<Answered> {
  const { status, headers } = response;
  return { status, headers, bytes: new Uint8Array(await response.arrayBuffer()) };
}

/** `name: value` lines; one without a name is a comment. */
function parse(block: string): Block {
  const pairs = block.split('\n').map((line) => {
    const at = line.indexOf(':');
    return [line.slice(0, at), line.slice(at + 1).trimStart()];
  });
  return Object.fromEntries(pairs) as Block;
}
