import { sql } from 'drizzle-orm';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import type { StepResult } from '../contract/facebook.ts';
import { noteChecked } from '../db/meta-connections.ts';
import {
  changeMetaNumber,
  ensureMetaNumber,
  findNumberAtMeta,
  isOfOtherDigits,
  NEW_AT_META,
} from '../db/meta-numbers.ts';
import { metaNumbers } from '../db/schema.ts';
import type { Node } from './answers.ts';
import { type AtMeta, isUnknownObject, judging } from './at-meta.ts';
import { connectionOf, tokenOf } from './connections.ts';
import type { MetaDeps } from './deps.ts';
import { ownProblem } from './meanings.ts';
import { stopped } from './outcome.ts';
import { nameOfNode } from './translate.ts';

const DAY_MS = 24 * 3_600_000;
/** Until a name is asked for again while Meta reviews another one: that takes hours or days. */
const IN_REVIEW_MS = 6 * 3_600_000;

/**
 * Adds a number to its WhatsApp Business Account, or finds it there, with its display name as the one that Meta is
 * asked for.
 */
export async function addNumber(
  deps: MetaDeps,
  { numberId }: { numberId: string },
): Promise<{ configured: false } | ({ configured: true } & StepResult)> {
  const { db } = deps;
  const before = await findNumberAtMeta(db, numberId);
  const chosen = before && (await connectionOf(deps, before));
  if (!before || !chosen) return { configured: false };
  await ensureMetaNumber(db, before.number, chosen.id);
  // From now on the connection cannot be given another account of Meta's.
  const found = await findNumberAtMeta(db, numberId);
  const { number, meta, connection } = found ?? {};
  if (!number || !meta || !connection) return { configured: false };
  const token = await tokenOf(deps, connection);
  if (typeof token !== 'string') return { configured: true, ...token };
  const at = { ...deps, number, meta, connection, token };
  const result = await judging(deps, at, async (): Promise<StepResult> => {
    await subscribe(at);
    const node = await findNode(at);
    if (node) return askForName({ ...at, id: node.id }, node, { alsoDeclined: true });
    await add(at);
    return { done: true };
  });
  return { configured: true, ...result };
}

type Adding = Omit<AtMeta, 'id'>;

/** Webhooks of an account come only while our app is subscribed; whoever owns it can end that. */
async function subscribe({ db, graph, connection, token }: Adding): Promise<void> {
  if (connection.checkedAt && Date.now() - connection.checkedAt.getTime() < DAY_MS) return;
  await graph.subscribe(token, connection.wabaId);
  const { name } = await graph.readAccount(token, connection.wabaId);
  await noteChecked(db, connection.id, name);
}

async function findNode({ db, graph, token, meta, connection }: Adding): Promise<Node | null> {
  if (meta.phoneNumberId) {
    try {
      return await graph.readNumber(token, meta.phoneNumberId);
    } catch (error) {
      if (!isUnknownObject(error)) throw error;
    }
  }
  const found = await graph.findNumber(token, connection.wabaId, meta.digits);
  // One that Meta may write in the same way can be another number.
  return found && (await isOfOtherDigits(db, meta, found.id)) ? null : found;
}

async function add({ db, graph, token, number, meta, connection }: Adding): Promise<void> {
  const { displayName } = number;
  const countryCode = parsePhoneNumberFromString(number.mobileNumber)?.countryCallingCode ?? '';
  const phoneNumberId = await graph.addNumber(token, connection.wabaId, {
    countryCode,
    nationalNumber: meta.digits.slice(countryCode.length),
    name: displayName,
  });
  await changeMetaNumber(db, number.id, { ...NEW_AT_META, phoneNumberId, requestedName: displayName });
}

/**
 * Asks for the display name where Meta was last asked for another one. `alsoDeclined`: asks once more for one that Meta has
 * declined, as whoever submits it again wants.
 */
export async function askForName(
  at: AtMeta,
  node: Node,
  { alsoDeclined }: { alsoDeclined: boolean },
): Promise<StepResult> {
  const { db, config, graph, token, id, number, meta } = at;
  const { displayName } = number;
  const asked = node.new_display_name ?? meta.requestedName ?? node.verified_name ?? null;
  const isDeclined = alsoDeclined && nameOfNode(node, asked)?.status === 'DECLINED';
  if (displayName !== asked || isDeclined) {
    if (node.new_name_status === 'PENDING_REVIEW') {
      await changeMetaNumber(db, number.id, { phoneNumberId: id });
      const words = `Meta reviews one name at a time, and "${asked}" now. The name is asked for again after that.`;
      return stopped('facebook', ownProblem(words, new Date(Date.now() + IN_REVIEW_MS)));
    }
    await graph.changeName(token, id, displayName);
  }
  await changeMetaNumber(db, number.id, {
    phoneNumberId: id,
    requestedName: displayName,
    // Its decision may be missed. What is not read yet is read once it is registered.
    ...(meta.readAt && {
      readAt: sql`least(${metaNumbers.readAt}, now() + make_interval(secs => ${config.META_POLL_SECONDS}))`,
    }),
  });
  return { done: true };
}
