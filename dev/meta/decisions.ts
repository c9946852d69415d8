/** What Meta decides of numbers and portfolios by itself: names, quality, limits. Each with its webhook. */
import { z } from 'zod';
import type { Simulation } from './simulation.ts';
import { NAME_STATUSES, type PhoneNumber, RATINGS, REJECTION_REASONS, TIERS, type Tier } from './state.ts';

export const NAME_DECISIONS = ['APPROVED', 'REJECTED', 'DEFERRED', 'PENDING'] as const;
export const LEGACY_EVENTS = ['FLAGGED', 'UNFLAGGED'] as const;

/** A form sends a field that was left empty as ''. */
const optional = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? undefined : value), schema.optional());

export const nameSchema = z.object({
  decision: z.enum(NAME_DECISIONS),
  reason: optional(z.enum(REJECTION_REASONS)),
});

export const qualitySchema = z.object({
  rating: optional(z.enum(RATINGS)),
  /** In the webhook, as it was until 2025; changes the status. */
  event: optional(z.enum(LEGACY_EVENTS)),
});

export const limitSchema = z.object({
  limit: z.enum(TIERS),
  /** `legacy`: of this number, `old_limit` and `current_limit`. `current`: of the whole portfolio. */
  shape: z.enum(['legacy', 'current']).default('current'),
});

/** What a node shows from now on, without a webhook. */
export const nodeSchema = z.object({
  status: z.string(),
  qualityRating: z.enum(RATINGS),
  nameStatus: z.enum(NAME_STATUSES),
  newNameStatus: z.enum(NAME_STATUSES),
  codeStatus: z.enum(['VERIFIED', 'NOT_VERIFIED', 'EXPIRED']),
  verifiedName: z.string(),
  limit: z.enum(TIERS).nullable(),
  official: z.boolean(),
  registered: z.boolean(),
  pin: z.string().nullable(),
});

/** Decides the changed name where there is one, else the first. */
export function decideName(
  simulation: Simulation,
  number: PhoneNumber,
  { decision, reason }: z.output<typeof nameSchema>,
): string {
  const status =
    ({ APPROVED: 'APPROVED', REJECTED: 'DECLINED' } as const)[decision as string] ?? 'PENDING_REVIEW';
  const requested = number.newName ?? number.verifiedName;
  if (number.newName === null) number.nameStatus = status;
  else number.newNameStatus = status;
  simulation.changed();
  const value = {
    display_phone_number: number.digits,
    decision,
    requested_verified_name: requested,
    rejection_reason: decision === 'REJECTED' ? (reason ?? 'UNKNOWN') : null,
  };
  return simulation.send(number.wabaId, [{ field: 'phone_number_name_update', value }]);
}

/** A colour changes silently, as with Meta; only the old events had a webhook. Its id, or null. */
export function changeQuality(
  simulation: Simulation,
  number: PhoneNumber,
  { rating, event }: z.output<typeof qualitySchema>,
): string | null {
  if (rating) number.qualityRating = rating;
  if (event) number.status = event === 'FLAGGED' ? 'FLAGGED' : 'CONNECTED';
  simulation.changed();
  if (!event) return null;
  return simulation.send(number.wabaId, [
    {
      field: 'phone_number_quality_update',
      value: { display_phone_number: number.digits, event, current_limit: simulation.limitOf(number) },
    },
  ]);
}

export function changeLimit(
  simulation: Simulation,
  number: PhoneNumber,
  { limit, shape }: z.output<typeof limitSchema>,
): string[] {
  if (shape === 'current') return changePortfolioLimit(simulation, number.wabaId, limit, number);
  const before = simulation.limitOf(number);
  number.limit = limit;
  simulation.changed();
  const event = TIERS.indexOf(limit) < TIERS.indexOf(before) ? 'DOWNGRADE' : 'UPGRADE';
  const value = {
    display_phone_number: number.digits,
    event,
    old_limit: before,
    current_limit: limit,
  };
  return [simulation.send(number.wabaId, [{ field: 'phone_number_quality_update', value }])];
}

/** Every account of the portfolio hears of it; `number`, if given, by a throughput event as well. */
export function changePortfolioLimit(
  simulation: Simulation,
  wabaId: string,
  limit: Tier,
  number?: PhoneNumber,
): string[] {
  const { accounts, numbers } = simulation.state;
  const businessId = simulation.account(wabaId)?.businessId;
  const business = simulation.businessOf(wabaId);
  const members = accounts
    .filter((account) => account.businessId === businessId)
    .map((account) => account.wabaId);
  business.limit = limit;
  for (const member of numbers) if (members.includes(member.wabaId)) member.limit = null;
  simulation.changed();
  const ids = members.map((member) => {
    const value = {
      max_daily_conversations_per_business: conversations(limit),
      max_phone_numbers_per_business: business.maxNumbers,
      max_phone_numbers_per_waba: business.maxNumbers,
    };
    return simulation.send(member, [{ field: 'business_capability_update', value }]);
  });
  if (!number) return ids;
  const value = {
    display_phone_number: number.digits,
    event: 'THROUGHPUT_UPGRADE',
    max_daily_conversations_per_business: limit,
  };
  return [...ids, simulation.send(number.wabaId, [{ field: 'phone_number_quality_update', value }])];
}

function conversations(limit: Tier): number {
  const figures: Partial<Record<Tier, number>> = { TIER_UNLIMITED: -1, TIER_NOT_SET: 0 };
  return figures[limit] ?? Number(limit.replace('TIER_', '').replace('K', '000'));
}
