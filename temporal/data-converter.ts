/**
 * How payloads are written and read, shared by API, worker, replay and tests. The seam for encryption: a
 * codec that encrypts goes into the list. What is there now keeps a workflow from being wedged by a payload
 * that nobody can read, such as a signal sent by hand in an unknown encoding.
 */
import type { DataConverter, Payload, PayloadCodec } from '@temporalio/common';

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Whether the default converter reads it without a throw. */
function isReadable(payload: Payload): boolean {
  try {
    const encoding = text(payload.metadata?.['encoding']);
    if (encoding === 'json/plain') JSON.parse(text(payload.data));
    return ['json/plain', 'binary/plain', 'binary/null'].includes(encoding);
  } catch {
    return false;
  }
}

/** Empty bytes arrive as an empty array from the wire. */
const text = (bytes: Uint8Array | null | undefined) => decoder.decode(Uint8Array.from(bytes ?? []));

/** What a workflow sees in place of a payload that cannot be read; no guard takes it for a message. */
const UNREADABLE: Payload = {
  metadata: { encoding: new TextEncoder().encode('json/plain') },
  data: new TextEncoder().encode(JSON.stringify('unreadable payload')),
};

const neutralise: PayloadCodec = {
  encode: async (payloads) => payloads,
  decode: async (payloads) => payloads.map((payload) => (isReadable(payload) ? payload : UNREADABLE)),
};

export const dataConverter: DataConverter = { payloadCodecs: [neutralise] };
