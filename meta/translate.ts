/** Meta's words as ours: in what its webhooks tell and its nodes show, in old and new shapes. An unknown one is left out. */
import {
  type FacebookNews,
  isNameApproved,
  MESSAGING_LIMITS,
  type MessagingLimit,
  QUALITY_COLORS,
  type QualityColor,
} from '../contract/facebook.ts';
import type { Node } from './answers.ts';

type News = Pick<FacebookNews, 'name' | 'quality' | 'limit'>;

/** Unique users a day, as an integer or a numeric string; -1 is no limit. */
const LIMITS_BY_USERS = new Map<string, MessagingLimit>([
  ['-1', 'TIER_UNLIMITED'],
  ['50', 'TIER_50'],
  ['250', 'TIER_250'],
  ['1000', 'TIER_1K'],
  ['2000', 'TIER_2K'],
  ['10000', 'TIER_10K'],
  ['100000', 'TIER_100K'],
]);

/** Null for a limit that is not set, or that is not known here. */
export function limitOf(value: unknown): MessagingLimit | null {
  const text = String(value ?? '').trim();
  return MESSAGING_LIMITS.find((limit) => limit === text) ?? LIMITS_BY_USERS.get(text) ?? null;
}

/** `NA` and what is not known here: no rating. */
export function colorOf(value: string): QualityColor {
  return QUALITY_COLORS.find((color) => color === value) ?? 'UNKNOWN';
}

/** A webhook's decision as the node's status of a name: both tell the same in two words. */
const STATUS_OF_DECISION = new Map([
  ['REJECTED', 'DECLINED'],
  ['PENDING', 'PENDING_REVIEW'],
  ['DEFERRED', 'PENDING_REVIEW'],
]);

function nameStatusOf(word: string): string {
  return STATUS_OF_DECISION.get(word) ?? word;
}

const OTHER_NAME =
  'Meta declined the name and did not say why. Choose one that is clearly that of your business, as on your website.';
const REASONS = new Map([
  [
    'NAME_EMPLOYEE_ISSUE',
    'Meta declined the name: it looks like that of a person who works for the business. Use the name of the business.',
  ],
  [
    'NAME_INDIVIDUAL_ISSUE',
    'Meta declined the name: it looks like that of a private person. Use the name of the business.',
  ],
  [
    'NAME_ENDCLIENT_NOTRELATED',
    'Meta declined the name: it does not see that it belongs to your business. Use your own brand, or "Brand by Company", and show it on your website.',
  ],
  [
    'NAME_FORMAT_UNACCEPTABLE',
    'Meta declined the name for how it is written. Leave out emoji, signs, web addresses and words in capitals, and do not use a general word or a slogan alone.',
  ],
  [
    'NAME_NOT_CONSISTENT',
    'Meta declined the name: it is not the one that your website and other pages show. Use the same name there and here.',
  ],
]);

/** Why a name was declined, in words for a customer; null where it was not. */
function reasonOf(status: string, rejectionReason?: unknown): string | null {
  if (status !== 'DECLINED') return null;
  return REASONS.get(String(rejectionReason)) ?? OTHER_NAME;
}

/** `value` of the webhook `phone_number_name_update`. */
export function nameUpdate(value: Record<string, unknown>): News {
  const { decision, requested_verified_name: name, rejection_reason: why } = value;
  if (typeof decision !== 'string') return {};
  const status = nameStatusOf(decision);
  const requestedName = typeof name === 'string' ? name : null;
  const shown = isNameApproved(status) && requestedName !== null ? { name: requestedName } : {};
  const code = status === 'DECLINED' && typeof why === 'string' ? why.toLowerCase().slice(0, 64) : null;
  return { name: { status, ...shown, requestedName, reason: reasonOf(status, why), code } };
}

/** What the old events of a falling and rising quality say of the number's status. */
const STATUS_OF_EVENT = new Map([
  ['FLAGGED', 'FLAGGED'],
  ['UNFLAGGED', 'CONNECTED'],
]);

/** `value` of the webhook `phone_number_quality_update`. */
export function qualityUpdate(value: Record<string, unknown>): News {
  const status = STATUS_OF_EVENT.get(String(value['event']));
  return {
    ...(status !== undefined && { quality: { connectionStatus: status } }),
    ...limitNews(value['max_daily_conversations_per_business'], value['current_limit']),
  };
}

/** `value` of the webhook `business_capability_update`: of the portfolio, so of all numbers in it. */
export function capabilityUpdate(value: Record<string, unknown>): News {
  return limitNews(value['max_daily_conversations_per_business'], value['max_daily_conversation_per_phone']);
}

/** What a node tells. `requestedName`: the name that Meta was last asked for. */
export function newsOfNode(node: Node, requestedName: string | null): News {
  const quality = {
    ...(node.status !== undefined && { connectionStatus: node.status }),
    ...(node.quality_rating !== undefined && { color: colorOf(node.quality_rating) }),
  };
  const name = nameOfNode(node, requestedName);
  return {
    ...(name && { name }),
    ...(Object.keys(quality).length > 0 && { quality }),
    ...limitNews(node.whatsapp_business_manager_messaging_limit, node.messaging_limit_tier),
  };
}

/**
 * A changed name is reviewed beside the first one, also where that is asked for once more; some nodes tell its status,
 * but not the name itself. `name`: shown now.
 */
export function nameOfNode(node: Node, lastAsked: string | null): News['name'] {
  const requestedName = node.new_display_name ?? lastAsked;
  const { verified_name: verified, name_status: status, new_name_status: newStatus } = node;
  const shown: { name?: string } = verified !== undefined && isNameApproved(status) ? { name: verified } : {};
  const isThere = newStatus !== undefined && newStatus !== 'NONE' && newStatus !== 'NON_EXISTS';
  if (isThere && requestedName !== null && requestedName !== shown.name) {
    const word = nameStatusOf(newStatus);
    return { status: word, ...shown, requestedName, reason: reasonOf(word) };
  }
  if (status === undefined) return undefined;
  const word = nameStatusOf(status);
  return { status: word, ...shown, requestedName: verified ?? null, reason: reasonOf(word) };
}

function limitNews(portfolio: unknown, number: unknown): News {
  const shared = limitOf(portfolio);
  if (shared) return { limit: { limit: shared, scope: 'portfolio' } };
  const own = limitOf(number);
  return own ? { limit: { limit: own, scope: 'number' } } : {};
}
