/**
 * What Meta knows of a number, and how far the number has come there. Plain constants and types only, because
 * workflow code imports this file. Meta's own words, and what was learnt about them: its documentation of the
 * WhatsApp Business Platform, Graph API v26.0.
 */

/** What is done with Meta after support's approval, in this order. `connect`: approved, but not connected. */
export const FACEBOOK_STEPS = ['add', 'code', 'register', 'name', 'connect'] as const;
export type FacebookStep = (typeof FACEBOOK_STEPS)[number];

/** Who has to act before a step goes on. */
export const FACEBOOK_TURNS = ['facebook', 'customer', 'support', 'operator'] as const;
export type FacebookTurn = (typeof FACEBOOK_TURNS)[number];

export const CODE_METHODS = ['SMS', 'VOICE'] as const;
/** How Meta sends a verification code to the number. */
export type CodeMethod = (typeof CODE_METHODS)[number];

/** Whether calls are made with the token of a connection: only with one that is `active`. */
export const CONNECTION_STATES = ['active', 'token_refused', 'permission_missing'] as const;
export type ConnectionState = (typeof CONNECTION_STATES)[number];

/** What Meta refused, in words for people, with what its support asks for. */
export interface FacebookProblem {
  message: string;
  /** Meta's error code and subcode; null where the refusal is ours, e.g. a budget that is used up. */
  code: number | null;
  subcode: number | null;
  fbtraceId: string | null;
  /** When it goes on by itself, RFC 3339, UTC; null where somebody has to act first. */
  until: string | null;
}

/** Problems of ours with a connection's token, which a new one ends. */
export const TOKEN_PROBLEMS = [
  'META_ACCESS_TOKEN is not set.',
  'The token cannot be decrypted: AUTH_SECRET is another one than before.',
] as const;

/** What has to be done at Meta yet. Null in a number's state where it is connected, or Meta is not configured for it. */
export interface FacebookProgress {
  step: FacebookStep;
  turn: FacebookTurn;
  /** Since when it is at this step, and since the last code was sent where one is awaited. RFC 3339, UTC. */
  since: string;
  /** How the last code was sent; null before the first. */
  codeMethod: CodeMethod | null;
  problem: FacebookProblem | null;
}

/** Whether a code of Meta's was sent and can be entered. */
export function isCodeAwaited(progress: FacebookProgress | null): boolean {
  return progress?.step === 'code' && progress.turn === 'customer' && progress.codeMethod !== null;
}

/** Whether something waits at Meta for somebody to say that it can go on: a step that is held up, or the profile. */
export function isHeldUp({ facebook, sync }: Pick<FromMeta, 'facebook' | 'sync'>): boolean {
  const isUnsent = sync?.state === 'failed';
  // After a wrong code another one is asked for, or entered.
  if (facebook === null || isCodeAwaited(facebook)) return isUnsent;
  return isUnsent || facebook.problem !== null || facebook.turn !== 'facebook';
}

/** How a step went. Trouble that passes by itself is not among these: it fails the activity, which is tried again. */
export type StepResult = { done: true } | { done: false; turn: FacebookTurn; problem: FacebookProblem };

/** Meta's words for a name; an open list. */
export const NAME_STATUSES = [
  'APPROVED',
  'AVAILABLE_WITHOUT_REVIEW',
  'PENDING_REVIEW',
  'DECLINED',
  'EXPIRED',
  'NONE',
] as const;

/** Whether a name of this status may be used. */
export function isNameApproved(status: string | undefined): boolean {
  return status === 'APPROVED' || status === 'AVAILABLE_WITHOUT_REVIEW';
}

/** What WhatsApp shows as the name, apart from our `displayName`. */
export interface WhatsappName {
  /** Shown now; null before the first approval. */
  name: string | null;
  /** Of the requested name, or of the shown one where none is requested: one of NAME_STATUSES, or a newer word. */
  status: string;
  /** Asked for and not shown yet; null where none is. */
  requestedName: string | null;
  /** Meta was asked for another name before: the requested one is shown only once the number is registered anew. */
  isChange?: true;
  /** Why it was declined, in words for people. */
  reason: string | null;
  /** Meta's word for why, in lower case; null where it has none. Not shown. */
  code: string | null;
  /** When it was learnt, RFC 3339, UTC. Not shown: what is older counts for nothing. */
  at: string;
}

/** Whether a name is approved that WhatsApp does not show before the number is registered anew. */
export function isUnshown(name: WhatsappName | null): boolean {
  return name !== null && name.requestedName !== null && isNameApproved(name.status);
}

export const QUALITY_COLORS = ['GREEN', 'YELLOW', 'RED', 'UNKNOWN'] as const;
export type QualityColor = (typeof QUALITY_COLORS)[number];

/** Meta's statuses of a number that are told as its rating; any other is null. */
export const QUALITY_RATINGS = ['CONNECTED', 'FLAGGED', 'RESTRICTED'] as const;
export type QualityRating = (typeof QUALITY_RATINGS)[number];

/** Messaging limits, the lowest first. */
export const MESSAGING_LIMITS = [
  'TIER_50',
  'TIER_250',
  'TIER_1K',
  'TIER_2K',
  'TIER_10K',
  'TIER_100K',
  'TIER_UNLIMITED',
] as const;
export type MessagingLimit = (typeof MESSAGING_LIMITS)[number];

export const LIMIT_SCOPES = ['number', 'portfolio'] as const;
export type LimitScope = (typeof LIMIT_SCOPES)[number];

/** How something was learnt from Meta. */
export const SOURCES = ['webhook', 'poll'] as const;
export type Source = (typeof SOURCES)[number];

/** Column by column in `numbers`. Times are RFC 3339, UTC. */
export interface Quality {
  qualityRating: QualityRating | null;
  qualityColor: QualityColor | null;
  /** Meta's own status word; an open list. */
  connectionStatus: string | null;
  qualityAt: string | null;
  qualitySource: Source | null;
  messagingLimit: MessagingLimit | null;
  limitScope: LimitScope | null;
  limitAt: string | null;
  limitSource: Source | null;
}

export const SYNC_STATES = ['pending', 'synced', 'failed'] as const;

/** What of a profile is compared with what Meta shows. Not the picture: Meta shows another address of it each time. */
export const COMPARED_FIELDS = [
  'address',
  'businessDescription',
  'contactEmail',
  'website',
  'businessCategory',
] as const;
export type ComparedField = (typeof COMPARED_FIELDS)[number];

export const SIDES = ['ours', 'theirs'] as const;

/** Whether Meta shows the profile as it is here. */
export interface Sync {
  state: (typeof SYNC_STATES)[number];
  /** Why it failed, in words for people; null otherwise. */
  reason: string | null;
  at: string;
  /** Fields that Meta shows otherwise, as last read: a person chooses which side wins. Empty where none. */
  differences: { field: string; theirs: string | null }[];
}

/** All that a number's state has from Meta. */
export interface FromMeta {
  facebook: FacebookProgress | null;
  whatsappName: WhatsappName | null;
  quality: Quality;
  sync: Sync | null;
}

export const NOTHING_FROM_META: FromMeta = {
  facebook: null,
  whatsappName: null,
  quality: {
    qualityRating: null,
    qualityColor: null,
    connectionStatus: null,
    qualityAt: null,
    qualitySource: null,
    messagingLimit: null,
    limitScope: null,
    limitAt: null,
    limitSource: null,
  },
  sync: null,
};

/** What was heard of a number. What is left out has not been said. */
export interface FacebookNews {
  /** Recognises a repeat: the stored update, or the reading. */
  operationId: string;
  source: Source;
  /** When it was learnt, RFC 3339, UTC. */
  at: string;
  /**
   * `status`: one of NAME_STATUSES, or a newer word. `requestedName`: the name that it is of; a decision counts only for
   * the name that was asked for. `reason`: in words for people, `code`: in Meta's word.
   */
  name?: {
    status: string;
    name?: string;
    requestedName: string | null;
    reason: string | null;
    code?: string | null;
  };
  /** Meta's status word and colour of the node, or an old FLAGGED or UNFLAGGED event as the status it means. */
  quality?: { connectionStatus?: string; color?: QualityColor };
  limit?: { limit: MessagingLimit; scope: LimitScope };
  /** Fields that Meta shows otherwise than they are here, read with the source `poll`; empty where none. */
  differences?: Sync['differences'];
  /** The number has been connected for META_NAME_DAYS, and its name is not decided: support decides. */
  undecided?: boolean;
}
