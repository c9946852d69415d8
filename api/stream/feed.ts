/**
 * Tells open streams what changes: one poller per process for all of them, which runs only while there are some. It
 * tells those that have caught up; one that resumes, or reads too slowly, reads the feed at its own pace until it has.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyBaseLogger } from 'fastify';
import { endOfFeed, type Place, readChanges } from '../../db/change-feed.ts';
import type { Database } from '../../db/client.ts';
import { rootOf } from '../../db/errors.ts';
import { type OpenCaller, stillAllowed } from '../../db/open-callers.ts';
import type { Links } from '../links.ts';
import type { Connection } from './connection.ts';
import { eventsOf, type Hearing, hears, heartbeat, resetEvent, type StreamEvent } from './events.ts';
import { isBefore, readPlace } from './place.ts';

const LOOK_EVERY_MS = 250;
/** A stream whose caller may not listen any more ends within this time and one look. */
const CHECK_EVERY_MS = 500;
const HEARTBEAT_MS = 15_000;
/** Changes read at once. */
const PAGE = 500;

/** Where a stream begins. */
interface Beginning {
  place: Place;
  /** The place that the client named is not known any more. */
  reset: boolean;
  /** Where the feed ended at that time. */
  end: Place;
}

export interface Stream extends Hearing {
  caller: OpenCaller;
  connection: Connection;
  /** What has been told: all before it. */
  place: Place;
  /** Why the feed ended it. */
  why?: 'forbidden' | 'stopping';
}

export interface Feed {
  readonly open: ReadonlySet<Stream>;
  /** At the place that the client names, or now. */
  begin(lastEventId: string | undefined): Promise<Beginning>;
  /** Tells the stream what happens after its place, until its connection ends. */
  tell(stream: Stream, beginning: Beginning): void;
  /** The connection has ended. */
  forget(stream: Stream): void;
  /** Ends all streams. */
  close(): void;
}

export function createFeed(db: Database, log: FastifyBaseLogger, links: Links): Feed {
  const open = new Set<Stream>();
  /** Those of them that the poller tells. */
  const live = new Set<Stream>();
  /** How far the poller has told; null while it does not run. */
  let told: Place | null = null;
  let checkedAt = 0;
  let beatAt = 0;

  async function poll(): Promise<void> {
    beatAt = Date.now();
    let more = false;
    let failing = false;
    while (told && open.size > 0) {
      if (!more) await sleep(LOOK_EVERY_MS);
      try {
        if (Date.now() - checkedAt >= CHECK_EVERY_MS) await endForbidden();
        more = await look(told);
        failing = false;
      } catch (error) {
        // Nothing is lost: it goes on from the same place.
        if (!failing) log.warn({ err: rootOf(error) }, 'Streams wait: the change feed cannot be read');
        [more, failing] = [false, true];
      }
    }
    told = null;
  }

  async function look(after: Place): Promise<boolean> {
    const { changes, next, more } = await readChanges(db, after, { tenant: null, limit: PAGE });
    const heard = changes.filter((change) => [...live].some((stream) => hears(stream, change)));
    const events = await eventsOf(db, heard, links);
    // From here on in one go: whoever joins finds all before this place told to those who are there.
    told = next;
    const beat = Date.now() - beatAt >= HEARTBEAT_MS;
    if (beat) beatAt = Date.now();
    for (const stream of live) {
      let reads = tellEvents(stream, events);
      if (reads) moveOn(stream, next);
      if (reads && beat) reads = stream.connection.send(heartbeat(stream.place));
      if (reads) continue;
      live.delete(stream);
      void follow(stream);
    }
    return more;
  }

  async function follow(stream: Stream): Promise<void> {
    while (await stream.connection.drained()) {
      if (told && !isBefore(stream.place, told)) {
        live.add(stream);
        return;
      }
      try {
        await catchUp(stream);
      } catch (error) {
        log.warn({ err: rootOf(error) }, 'A stream waits: the change feed cannot be read');
        await sleep(LOOK_EVERY_MS * 4);
      }
    }
  }

  /** A page further, as fast as the client reads. */
  async function catchUp(stream: Stream): Promise<void> {
    const { changes, next } = await readChanges(db, stream.place, { tenant: stream.tenant, limit: PAGE });
    const events = await eventsOf(
      db,
      changes.filter((change) => hears(stream, change)),
      links,
    );
    for (const event of events) {
      if (!tellEvents(stream, [event]) && !(await stream.connection.drained())) return;
    }
    moveOn(stream, next);
  }

  async function endForbidden(): Promise<void> {
    const streams = [...open];
    const allowed = await stillAllowed(
      db,
      streams.map(({ caller }) => caller),
    );
    checkedAt = Date.now();
    for (const stream of streams) if (!allowed.has(stream.caller)) end(stream, 'forbidden');
  }

  function end(stream: Stream, why: 'forbidden' | 'stopping'): void {
    forget(stream);
    stream.why = why;
    stream.connection.end();
  }

  function forget(stream: Stream): void {
    open.delete(stream);
    live.delete(stream);
  }

  return {
    open,
    async begin(lastEventId) {
      const { end, nextTxid } = await endOfFeed(db);
      if (lastEventId === undefined) return { place: end, reset: false, end };
      const place = readPlace(lastEventId);
      // One from the future is of another database: a backup was restored.
      const known = place !== null && place.txid <= nextTxid;
      return { place: known ? place : end, reset: !known, end };
    },
    tell(stream, { reset, end }) {
      open.add(stream);
      stream.connection.send(reset ? resetEvent(stream.place) : heartbeat(stream.place));
      if (told === null) {
        told = end;
        void poll();
      }
      void follow(stream);
    },
    forget,
    close() {
      for (const stream of open) end(stream, 'stopping');
    },
  };
}

/** Tells those of the events that the stream hears of and has not heard. False: the client has to read first. */
function tellEvents(stream: Stream, events: StreamEvent[]): boolean {
  for (const { change, text } of events) {
    // One that resumed may be further than the poller.
    if (!hears(stream, change) || !isBefore(stream.place, change.place)) continue;
    const event = text(stream.viewer);
    const reads = event === null || stream.connection.send(event);
    stream.place = change.place;
    if (!reads) return false;
  }
  return true;
}

/** Also to the same place at a later time: on a quiet day a place must not get old. */
function moveOn(stream: Stream, place: Place): void {
  if (!isBefore(place, stream.place)) stream.place = place;
}
