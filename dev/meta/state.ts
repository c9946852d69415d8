/** What the simulator knows. It is one JSON document, kept in a file where a folder is given. */
import { z } from 'zod';

export const TIERS = [
  'TIER_NOT_SET',
  'TIER_50',
  'TIER_250',
  'TIER_1K',
  'TIER_2K',
  'TIER_10K',
  'TIER_100K',
  'TIER_UNLIMITED',
] as const;
export const REJECTION_REASONS = [
  'NAME_EMPLOYEE_ISSUE',
  'NAME_ENDCLIENT_NOTRELATED',
  'NAME_FORMAT_UNACCEPTABLE',
  'NAME_INDIVIDUAL_ISSUE',
  'NAME_NOT_CONSISTENT',
  'UNKNOWN',
] as const;
export const NAME_STATUSES = [
  'APPROVED',
  'AVAILABLE_WITHOUT_REVIEW',
  'DECLINED',
  'EXPIRED',
  'PENDING_REVIEW',
  'NONE',
] as const;
export const RATINGS = ['GREEN', 'YELLOW', 'RED', 'NA', 'UNKNOWN'] as const;

const ms = z.number();

const accountSchema = z.object({
  wabaId: z.string(),
  businessId: z.string(),
  name: z.string(),
  /** Whether our app hears its webhooks. */
  subscribed: z.boolean(),
});

const tokenSchema = z.object({
  wabaId: z.string(),
  state: z.enum(['valid', 'expired', 'permissionless']),
});

/** The limit of a portfolio is shared by its numbers. */
const businessSchema = z.object({ limit: z.enum(TIERS), maxNumbers: z.int() });

const profileSchema = z.object({
  about: z.string().optional(),
  address: z.string().optional(),
  description: z.string().optional(),
  email: z.string().optional(),
  websites: z.array(z.string()).optional(),
  vertical: z.string().optional(),
  /** Of a picture that is kept. */
  picture: z.string().optional(),
});

const numberSchema = z.object({
  id: z.string(),
  wabaId: z.string(),
  digits: z.string(),
  verifiedName: z.string(),
  nameStatus: z.enum(NAME_STATUSES),
  newName: z.string().nullable(),
  newNameStatus: z.enum(NAME_STATUSES),
  codeStatus: z.enum(['VERIFIED', 'NOT_VERIFIED', 'EXPIRED']),
  /** The last one sent. */
  code: z.object({ value: z.string(), expiresAt: ms, method: z.string(), used: z.boolean() }).nullable(),
  /** From when on it can be registered; null before its code was entered. */
  provisionedAt: ms.nullable(),
  pin: z.string().nullable(),
  registered: z.boolean(),
  onboardedAt: ms.nullable(),
  /** Times of calls to register and deregister. */
  registrations: z.array(ms),
  blockedUntil: ms,
  /** Open: Meta's lists differ. */
  status: z.string(),
  qualityRating: z.enum(RATINGS),
  /** Of this number alone, as it was until 2025; null for the portfolio's. */
  limit: z.enum(TIERS).nullable(),
  official: z.boolean(),
  profile: profileSchema,
});

const webhookSchema = z.object({
  id: z.string(),
  at: ms,
  wabaId: z.string(),
  fields: z.array(z.string()),
  /** The bytes that are signed and sent; null for a large one that has come to its end. */
  body: z.string().nullable(),
  state: z.enum(['waiting', 'delivered', 'lost', 'unsubscribed', 'given up']),
  /** How often it is to arrive. */
  copies: z.int(),
  attempts: z.array(z.object({ at: ms, status: z.int().nullable(), error: z.string().nullable() })),
  dueAt: ms,
});

export const stateSchema = z.object({
  businesses: z.record(z.string(), businessSchema),
  accounts: z.array(accountSchema),
  tokens: z.record(z.string(), tokenSchema),
  numbers: z.array(numberSchema),
  webhooks: z.array(webhookSchema),
});

export type State = z.output<typeof stateSchema>;
export type Account = z.output<typeof accountSchema>;
export type PhoneNumber = z.output<typeof numberSchema>;
export type Webhook = z.output<typeof webhookSchema>;
export type Tier = (typeof TIERS)[number];

/** What the simulator is started with where it knows nothing yet. */
export interface SeedAccount {
  wabaId: string;
  businessId: string;
  name: string;
  token: string;
}

/** Adds to a state what is missing of the accounts. */
export function withAccounts(state: State, seeds: readonly SeedAccount[]): State {
  for (const { token, ...account } of seeds) {
    if (!state.accounts.some(({ wabaId }) => wabaId === account.wabaId)) {
      state.accounts.push({ ...account, subscribed: false });
    }
    state.tokens[token] ??= { wabaId: account.wabaId, state: 'valid' };
    state.businesses[account.businessId] ??= { limit: 'TIER_250', maxNumbers: 1000 };
  }
  return state;
}

export function emptyState(): State {
  return { businesses: {}, accounts: [], tokens: {}, numbers: [], webhooks: [] };
}
