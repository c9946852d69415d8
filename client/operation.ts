/**
 * How an operation of the API is told to the client, and the method that follows from it. Types are those of the
 * schemas in `contract/`: what is sent is a schema's input, what is answered its output.
 */
import type { z } from 'zod';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface Operation {
  /** Its name in the OpenAPI document. */
  id: string;
  /** E.g. `GET /v1/numbers/{id}`. */
  call: `${Method} /${string}`;
  /** Nothing is changed, although it is no GET: it needs no Idempotency-Key to be repeated. */
  reads?: true;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** One of these says what is answered; without any it is nothing. */
  answer?: z.ZodType;
  page?: z.ZodType<{ items: unknown[]; nextCursor: string | null }>;
  /** Events are answered, without an end. */
  events?: z.ZodType;
  /** A file is sent, as the field `file` of a form. */
  file?: true;
  /** Bytes are answered. */
  bytes?: true;
  /** There may be nothing to answer (204): null then. */
  orNull?: true;
}

/** For all calls. Every value may be left out. */
interface CallOptions {
  /** Ends the call, and all its tries. */
  signal?: AbortSignal;
  /** For the call with all its tries; the client's own when left out. Milliseconds. */
  deadlineMs?: number;
}

/** For calls that write. */
export interface WriteOptions extends CallOptions {
  /** Drawn for each call when left out. Keep one of your own to repeat the call later, e.g. after a restart. */
  idempotencyKey?: string;
  /** The revision that the change is meant for: refused with `revision_conflict` where there is a later one. */
  ifMatch?: number;
}

/** An answer of bytes. */
interface Bytes {
  contentType: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Items over all pages, fetched as they are asked for: `for await (const item of …)`. */
export interface Pages<Item> extends AsyncIterable<Item> {
  /** One page: the first, or the one that a `nextCursor` leads to. */
  page(cursor?: string): Promise<{ items: Item[]; nextCursor: string | null }>;
}

/** One text for each `{…}` of the path. */
type Ids<Call extends string> = Call extends `${string}{${string}}${infer Rest}`
  ? [id: string, ...Ids<Rest>]
  : [];

type Body<O> = O extends { file: true }
  ? [file: Blob]
  : O extends { body: infer B extends z.ZodType }
    ? object extends z.input<B>
      ? [body?: z.input<B>]
      : [body: z.input<B>]
    : [];

/** Queries send true and false as words. */
type Query<O> = O extends { query: infer Q extends z.ZodObject }
  ? [
      query?: {
        [K in keyof z.input<Q>]: z.input<Q>[K] extends 'true' | 'false' | undefined ? boolean : z.input<Q>[K];
      },
    ]
  : [];

type Options<O> = O extends { call: `GET ${string}` } | { reads: true } ? CallOptions : WriteOptions;

type Arguments<O extends Operation> = [...Ids<O['call']>, ...Body<O>, ...Query<O>, options?: Options<O>];

type Answer<O> = O extends { answer: infer A extends z.ZodType }
  ? z.output<A> | (O extends { orNull: true } ? null : never)
  : O extends { bytes: true }
    ? Bytes
    : undefined;

export type MethodOf<O extends Operation> = O extends { page: z.ZodType<{ items: (infer Item)[] }> }
  ? (...args: Arguments<O>) => Pages<Item>
  : (...args: Arguments<O>) => Promise<Answer<O>>;
