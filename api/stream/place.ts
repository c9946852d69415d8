/** Places in the change feed as clients keep them: opaque to them, and nothing secret. */
import type { Place } from '../../db/change-feed.ts';

/** How long a place counts; the feed is kept a little longer. */
const COUNTS_MS = 24 * 3_600_000;
/** No more digits than a transaction id of 64 bits, or a number that a double can count. */
const WRITTEN = /^(\d{1,19})\.(\d{1,15})\.(\d{1,15})$/;

export function writePlace({ txid, seq, at }: Place): string {
  return `${txid}.${seq}.${at}`;
}

/** Null for what is none of ours, or so old that changes after it may be gone. */
export function readPlace(text: string): Place | null {
  const [, txid = '', seq, at] = WRITTEN.exec(text) ?? [];
  const place = { txid: BigInt(txid), seq: Number(seq), at: Number(at) };
  return txid !== '' && place.at > Date.now() - COUNTS_MS ? place : null;
}

export function isBefore(one: Place, other: Place): boolean {
  return one.txid < other.txid || (one.txid === other.txid && one.seq < other.seq);
}
