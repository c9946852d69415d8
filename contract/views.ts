/**
 * What the API answers: one zod schema per answer, from which its type, its serializer and the OpenAPI
 * document follow, and the functions that build it. Times are RFC 3339, UTC.
 */
import { z } from 'zod';
import { BUSINESS_CATEGORIES, type BusinessCategory } from './categories.ts';
import { NEXT_ACTIONS, nextStep, rejectionOf } from './next-action.ts';
import {
  ACTOR_TYPES,
  type Actor,
  type Decision,
  EVENT_TYPES,
  type EventType,
  isPending,
  NUMBER_STATUSES,
  type NumberState,
  OUTCOMES,
  STAGES,
  WAITING_FOR,
} from './number.ts';
import { isValidMobileNumber } from './phone.ts';

export const time = z.string().meta({ format: 'date-time' });

const actorView = z
  .object({ type: z.enum(ACTOR_TYPES), id: z.string().nullable() })
  .meta({ id: 'Actor', description: 'Who did something. Customers see staff as `support` without an id.' });

const rejectionView = z
  .object({
    by: z.enum(['support', 'facebook']),
    reason: z.string().describe('Never empty.'),
    code: z.string().nullable().describe('A short machine word.'),
    fields: z.array(z.string()).describe('The fields at fault; may be empty.'),
    at: time,
  })
  .meta({ id: 'Rejection' });

const nextActionView = z
  .object({ type: z.enum(NEXT_ACTIONS), fields: z.array(z.string()), dueAt: time.nullable() })
  .meta({ id: 'NextAction', description: 'What the party the number waits for has to do.' });

const decisionView = z
  .object({
    outcome: z.enum(OUTCOMES),
    reason: z.string().nullable(),
    code: z.string().nullable(),
    fields: z.array(z.string()),
    by: actorView,
    at: time,
    held: z.boolean().describe('Known, but not in force before support approves.'),
  })
  .meta({ id: 'Decision' });

const approvalView = z
  .object({ by: actorView, at: time.describe('When it was given.') })
  .meta({ id: 'Approval', description: 'One of the approvals that a verification needs.' });

const questionView = z
  .object({
    text: z
      .string()
      .meta({ description: 'In the words of support.', examples: ['Which of your shops is this?'] }),
    askedAt: time.describe('When it was asked.'),
    dueAt: time.nullable().describe('When the answer is due.'),
    by: actorView,
  })
  .meta({
    id: 'Question',
    description: "What support asked the customer; the customer's next comment answers it.",
  });

export const numberView = z
  .object({
    id: z.string(),
    accountId: z.string(),
    mobileNumber: z.string().describe('E.164'),
    displayName: z.string(),
    incomingUrl: z.string().nullable(),
    callbackProfileId: z.string().nullable(),
    imageId: z.string().nullable(),
    address: z.string().nullable(),
    businessDescription: z.string().nullable(),
    businessCategory: z.enum(Object.keys(BUSINESS_CATEGORIES) as [BusinessCategory, ...BusinessCategory[]]),
    contactEmail: z.string().nullable(),
    website: z.string().nullable(),
    imageUrl: z.string().nullable(),
    status: z.enum(NUMBER_STATUSES),
    waitingFor: z.enum(WAITING_FOR).nullable(),
    nextAction: nextActionView.nullable(),
    attempt: z.int().describe('1 for the first submission, one more for each resubmission.'),
    revision: z.int().describe('Rises with every visible change; the ETag.'),
    rejection: rejectionView.nullable(),
    question: questionView.nullable().describe('Asked of the customer and not answered yet.'),
    qualityRating: z.enum(['CONNECTED', 'FLAGGED', 'RESTRICTED']).nullable(),
    qualityColor: z.enum(['GREEN', 'YELLOW', 'RED', 'UNKNOWN']).nullable(),
    connectionStatus: z.string().nullable(),
    messagingLimit: z
      .enum(['TIER_50', 'TIER_250', 'TIER_1K', 'TIER_2K', 'TIER_10K', 'TIER_100K', 'TIER_UNLIMITED'])
      .nullable(),
    limitScope: z.enum(['number', 'portfolio']).nullable(),
    qualityAt: time.nullable(),
    limitAt: time.nullable(),
    submittedAt: time,
    submittedBy: actorView,
    decidedAt: time.nullable(),
    createdAt: time,
    updatedAt: time,
    account: z.object({ id: z.string(), name: z.string() }).optional().describe('Staff only.'),
    approvals: z
      .array(approvalView)
      .optional()
      .describe('Staff only. Given so far, where verification needs more than one.'),
    approvalsNeeded: z
      .int()
      .optional()
      .describe('Staff only. How many supporters have to approve the details.'),
    verification: decisionView.nullable().optional().describe('Staff only.'),
    facebookDecision: decisionView.nullable().optional().describe('Staff only.'),
  })
  .meta({ id: 'Number' });
export type NumberView = z.output<typeof numberView>;

export const numberPage = page(numberView, 'NumberPage');

export const eventView = z
  .object({
    id: z.string().meta({ examples: ['evt_01994a5e7c2b7e0f8a6d3c1b2a495867'] }),
    type: z.enum(EVENT_TYPES).meta({ description: 'What happened.', examples: ['comment'] }),
    at: time.describe('When it happened.'),
    actor: actorView,
    attempt: z.int().meta({ description: 'The attempt it belongs to.', examples: [1] }),
    data: z.record(z.string(), z.unknown()).meta({
      description:
        'What belongs to the type: the text of a comment, the reason of a rejection, changed fields.',
      examples: [{ text: 'Which of your shops is this?' }],
    }),
  })
  .meta({ id: 'Event' });
export type EventView = z.output<typeof eventView>;

export const eventPage = page(eventView, 'EventPage');

const reviewView = z
  .object({
    number: numberView,
    stage: z.enum(STAGES),
    waitingSince: time,
    dueAt: time.nullable(),
    claimedBy: actorView.nullable(),
    claimExpiresAt: time.nullable(),
    warnings: z.array(z.object({ code: z.enum(['number_not_valid']), detail: z.string() })),
  })
  .meta({ id: 'Review' });
export type ReviewView = z.output<typeof reviewView>;

export const reviewPage = page(reviewView, 'ReviewPage');

export const categoryList = z
  .object({ items: z.array(z.object({ id: z.string(), label: z.string() })) })
  .meta({ id: 'BusinessCategories' });

/** What stands in the way of a decision or a withdrawal; part of a problem. */
export const standingDecision = z
  .object({ outcome: z.enum([...OUTCOMES, 'withdrawn', 'released']), by: actorView, at: time })
  .meta({ id: 'StandingDecision' });
export type StandingDecision = z.output<typeof standingDecision>;

/** Who looks: staff see people, the account and the decisions as taken. */
export type Viewer = 'customer' | 'staff';

/** What is known of a number beside its state: it never changes, but for the submitter of a new attempt. */
export interface NumberFacts {
  id: string;
  accountId: string;
  mobileNumber: string;
  submittedBy: Actor;
  createdAt: Date;
  approvalsNeeded: number;
  /** For staff, where it was read along. */
  accountName?: string | undefined;
}

export function viewNumber(number: NumberFacts, state: NumberState, viewer: Viewer): NumberView {
  const held = state.status === 'PENDING_VERIFICATION';
  return {
    id: number.id,
    accountId: number.accountId,
    mobileNumber: number.mobileNumber,
    ...state.profile,
    imageUrl: null,
    status: state.status,
    ...nextStep(state),
    attempt: state.attempt,
    revision: state.revision,
    rejection: rejectionOf(state),
    question: viewQuestion(state, viewer),
    qualityRating: null,
    qualityColor: null,
    connectionStatus: null,
    messagingLimit: null,
    limitScope: null,
    qualityAt: null,
    limitAt: null,
    submittedAt: state.submittedAt,
    submittedBy: viewActor(number.submittedBy, viewer),
    decidedAt: state.decidedAt,
    createdAt: number.createdAt.toISOString(),
    updatedAt: state.updatedAt,
    ...(viewer === 'staff' && {
      ...(number.accountName !== undefined && {
        account: { id: number.accountId, name: number.accountName },
      }),
      approvals: state.approvals.map(({ by, at }) => ({ by: viewActor(by, 'staff'), at })),
      approvalsNeeded: number.approvalsNeeded,
      verification: viewDecision(state.verification, false),
      facebookDecision: viewDecision(state.facebookDecision, held),
    }),
  };
}

export function viewEvent(
  event: {
    id: string;
    type: EventType;
    at: Date;
    actor: Actor;
    attempt: number;
    data: Record<string, unknown>;
  },
  viewer: Viewer,
): EventView {
  const { id, type, at, actor, attempt, data } = event;
  return { id, type, at: at.toISOString(), actor: viewActor(actor, viewer), attempt, data };
}

/** An item of the review queue; the number must be pending. */
export function viewReview(number: NumberFacts, state: NumberState): ReviewView {
  if (!isPending(state.status)) throw new Error(`Number ${number.id} is ${state.status}, not pending.`);
  return {
    number: viewNumber(number, state, 'staff'),
    stage: state.status === 'PENDING_VERIFICATION' ? 'verification' : 'facebook',
    waitingSince: state.waitingSince ?? state.submittedAt,
    dueAt: state.dueAt,
    claimedBy: null,
    claimExpiresAt: null,
    warnings: isValidMobileNumber(number.mobileNumber)
      ? []
      : [{ code: 'number_not_valid', detail: "The number does not fit its country's numbering plan." }],
  };
}

/** Customers learn that support did something, not who. */
export function viewActor(actor: Actor, viewer: Viewer): Actor {
  const staff = actor.type === 'support' || actor.type === 'operator';
  return viewer === 'customer' && staff ? { type: 'support', id: null } : { type: actor.type, id: actor.id };
}

function viewQuestion({ question, dueAt }: NumberState, viewer: Viewer): NumberView['question'] {
  if (question === null) return null;
  return { text: question.text, askedAt: question.at, dueAt, by: viewActor(question.by, viewer) };
}

function viewDecision(decision: Decision | null, held: boolean): z.output<typeof decisionView> | null {
  if (decision === null) return null;
  const { outcome, reason, code, fields, by, at } = decision;
  return { outcome, reason, code, fields, by: viewActor(by, 'staff'), at, held };
}

export function page<T extends z.ZodType>(item: T, id: string) {
  return z
    .object({
      items: z.array(item),
      nextCursor: z.string().nullable().describe('Send it as `cursor` for the next page; null on the last.'),
    })
    .meta({ id });
}
