import { type ComparedField, type FacebookNews, isNameApproved, type Sync } from '../contract/facebook.ts';
import { changeMetaNumber } from '../db/meta-numbers.ts';
import type { NumberRow } from '../db/number-row.ts';
import type { Node, ShownProfile } from './answers.ts';
import { inStep } from './at-meta.ts';
import type { MetaDeps } from './deps.ts';
import type { Stopped } from './outcome.ts';
import { profileOf } from './profile.ts';
import { newsOfNode } from './translate.ts';

export interface Reading {
  done: true;
  news: FacebookNews;
  codeVerified: boolean;
  registered: boolean;
  /** Whether it can send and receive. */
  connected: boolean;
  /** Fields that Meta shows otherwise; empty before a profile was pushed. */
  differences: Sync['differences'];
}

const DAY_MS = 24 * 3_600_000;
/** Statuses of a number that is registered, whatever else there is with it. */
const REGISTERED = ['CONNECTED', 'FLAGGED', 'RESTRICTED', 'RATE_LIMITED'];

export function isRegistered({ status }: Node): boolean {
  return status !== undefined && REGISTERED.includes(status);
}

/**
 * Reads what Meta says of a number: its name, quality, limit, status and profile. When to read it next is noted in
 * `read_at`.
 */
export async function readNumber(
  deps: MetaDeps,
  { numberId }: { numberId: string },
): Promise<Reading | Stopped> {
  return inStep(deps, numberId, async ({ db, config, graph, token, id, number, meta }): Promise<Reading> => {
    // What is learnt otherwise while this is under way, is newer.
    const at = new Date().toISOString();
    const node = await graph.readNumber(token, id);
    // Before, it has none.
    const profile = isRegistered(node) ? await graph.readProfile(token, id) : null;
    const news = newsOfNode(node, meta.requestedName);
    const readAt = new Date(Date.now() + pauseAfter(number, news, config));
    await changeMetaNumber(db, numberId, { lastRead: { at, node, profile }, readAt });
    return {
      done: true,
      news: { operationId: `read:${numberId}:${at}`, source: 'poll', at, ...news },
      codeVerified: node.code_verification_status === 'VERIFIED',
      registered: isRegistered(node),
      connected: node.status === 'CONNECTED',
      differences: meta.pushedRevision === null || profile === null ? [] : differencesOf(number, profile),
    };
  });
}

/** Milliseconds until the next reading: soon while somebody waits for what it shows, otherwise in about a day. */
function pauseAfter(
  { facebook, whatsappName }: NumberRow,
  { name }: Pick<FacebookNews, 'name'>,
  { META_POLL_SECONDS, META_NAME_DAYS }: MetaDeps['config'],
): number {
  const isDecided = isNameApproved(name?.status) || name?.status === 'DECLINED';
  // Some names are never decided.
  const isFresh = Date.now() - Date.parse(whatsappName?.at ?? '') < META_NAME_DAYS * DAY_MS;
  const isOnTheWay = facebook?.step === 'name' || facebook?.step === 'connect' || (!isDecided && isFresh);
  const isAwaited = facebook?.turn !== 'support' && isOnTheWay;
  // Numbers that were added together are read apart from each other, the longer they are here.
  return isAwaited ? META_POLL_SECONDS * 1000 : DAY_MS * (0.9 + Math.random() / 5);
}

function differencesOf(number: NumberRow, theirs: ShownProfile): Sync['differences'] {
  const ours = profileOf(number);
  const pairs: [field: ComparedField, ours: string, theirs: string][] = [
    ['address', ours.address ?? '', theirs.address ?? ''],
    ['businessDescription', ours.description ?? '', theirs.description ?? ''],
    ['contactEmail', ours.email ?? '', theirs.email ?? ''],
    ['website', url(ours.websites?.[0]), url(theirs.websites?.[0])],
    ['businessCategory', ours.vertical ?? '', theirs.vertical ?? ''],
  ];
  return pairs
    .filter(([, mine, shown]) => mine.trim() !== shown.trim())
    .map(([field, , shown]) => ({ field, theirs: shown || null }));
}

/** As it is written in one way: Meta adds the slash behind a bare host. */
function url(text: string | undefined): string {
  return text === undefined ? '' : (URL.parse(text)?.href ?? text);
}
