/**
 * What the API answers: one zod schema per answer, from which its type, its serializer and the OpenAPI
 * document follow, and the functions that build it. Times are RFC 3339, UTC.
 */
import { z } from 'zod';
import { BUSINESS_CATEGORIES, type BusinessCategory } from './categories.ts';
import {
  CODE_METHODS,
  FACEBOOK_STEPS,
  FACEBOOK_TURNS,
  type FacebookProgress,
  LIMIT_SCOPES,
  MESSAGING_LIMITS,
  QUALITY_COLORS,
  QUALITY_RATINGS,
  SOURCES,
  SYNC_STATES,
  type WhatsappName,
} from './facebook.ts';
import { NEXT_ACTIONS, nextStep, rejectionOf } from './next-action.ts';
import {
  ACTOR_TYPES,
  type Actor,
  type Decision,
  EVENT_TYPES,
  type EventType,
  NUMBER_STATUSES,
  type NumberState,
  OUTCOMES,
  WAITING_FOR,
} from './number.ts';

/** What a field is and, where that helps, what it looks like: for the reference. */
export const about = (description: string, example?: unknown) => ({
  description,
  ...(example !== undefined && { examples: [example] }),
});
/** A time in an answer: RFC 3339, UTC. */
export const time = z.string().meta({ format: 'date-time', examples: ['2026-01-31T12:00:00.000Z'] });

const NUMBER_ID = 'num_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d';
const ACCOUNT_ID = 'org_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d';

/** Where a picture is read. Views carry paths; the API puts its public address before them (`api/links.ts`). */
export function pathOfImage(id: string): string {
  return `/v1/images/${id}`;
}
export const IMAGE_ID = 'img_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d';
/** As it is answered: with the public address. */
export const IMAGE_URL = `https://numbers.example.com${pathOfImage(IMAGE_ID)}`;

const fieldNames = (description: string) => z.array(z.string()).meta(about(description, ['address']));

export const actorView = z
  .object({
    type: z.enum(ACTOR_TYPES).describe('In what role; `system` is this service itself.'),
    id: z
      .string()
      .nullable()
      .meta(
        about('The API key or person; null where there is none to tell.', 'key_019b2c3d4e5f7a8b9c0d1e2f'),
      ),
  })
  .meta({ id: 'Actor', description: 'Who did something. Customers see staff as `support` without an id.' });

export const rejectionView = z
  .object({
    by: z.enum(['support', 'facebook']).describe('Who rejected.'),
    reason: z.string().meta(about('Why; never empty.', 'The address belongs to another company.')),
    code: z.string().nullable().meta(about('A short machine word for the reason.', 'address_mismatch')),
    fields: fieldNames('The fields at fault; may be empty.'),
    at: time.describe('When.'),
  })
  .meta({ id: 'Rejection', description: 'Why the current attempt was rejected.' });

const nextActionView = z
  .object({
    type: z
      .enum(NEXT_ACTIONS)
      .describe(
        '`verify`: support looks at it. `decide`: Facebook decides, or support where Facebook does not. `reply`: the customer answers the question. `enter-code`: the customer enters the code that Meta sent to the number. `fix-at-facebook`: the customer puts right at Meta what `facebook.problem` tells. `resubmit`: the customer corrects it.',
      ),
    fields: fieldNames('The fields to look at; empty when all or none in particular.'),
    dueAt: time.describe('Until when; null when it is not due at a time.').nullable(),
  })
  .meta({ id: 'NextAction', description: 'What the party that the number waits for has to do.' });

const decisionView = z
  .object({
    outcome: z.enum(OUTCOMES).describe('How it was decided.'),
    reason: z
      .string()
      .nullable()
      .meta(about('Why; never null for a rejection.', 'The address belongs to another company.')),
    code: z.string().nullable().meta(about('A short machine word for the reason.', 'address_mismatch')),
    fields: fieldNames('The fields at fault.'),
    by: actorView.describe('Who decided.'),
    at: time.describe('When.'),
    held: z.boolean().describe('Known, but not in force before support approves.'),
  })
  .meta({ id: 'Decision', description: "One stage's decision." });

const approvalView = z
  .object({ by: actorView.describe('Who gave it.'), at: time.describe('When it was given.') })
  .meta({ id: 'Approval', description: 'One of the approvals that a verification needs.' });

const questionView = z
  .object({
    text: z
      .string()
      .meta({ description: 'In the words of support.', examples: ['Which of your shops is this?'] }),
    askedAt: time.describe('When it was asked.'),
    dueAt: time.nullable().describe('When the answer is due.'),
    by: actorView.describe('Who asked.'),
  })
  .meta({
    id: 'Question',
    description: "What support asked the customer; the customer's next comment answers it.",
  });

const facebookView = z
  .object({
    step: z
      .enum(FACEBOOK_STEPS)
      .describe(
        '`add`: it is added to the WhatsApp Business Account. `code`: a code proves that it is yours. `register`: it is registered. `name`: Facebook looks at the name. `connect`: approved, but not connected.',
      ),
    turn: z.enum(FACEBOOK_TURNS).describe('Who has to act before it goes on.'),
    since: time.describe(
      'Since when it is at this step; while a code is awaited, since the last one was sent.',
    ),
    codeMethod: z
      .enum(CODE_METHODS)
      .nullable()
      .describe('How the last code was sent; null before the first.'),
    problem: z
      .object({
        message: z
          .string()
          .meta(
            about(
              'What stands in the way, and what to do.',
              'Meta blocks registrations of this number for now.',
            ),
          ),
        code: z.int().nullable().meta(about("Meta's error code.", 133016)),
        fbtraceId: z.string().nullable().meta(about("What Meta's support asks for.", 'AbC1dEf2GhI')),
        until: time.nullable().describe('When it goes on by itself; null where somebody has to act first.'),
      })
      .nullable()
      .describe('What holds it up; null where nothing does.'),
  })
  .meta({ id: 'FacebookProgress', description: 'How far a number has come at Meta.' });

export const numberView = z
  .object({
    id: z.string().meta(about('The number as a resource of this API.', NUMBER_ID)),
    accountId: z.string().meta(about('The account that it belongs to.', ACCOUNT_ID)),
    mobileNumber: z.string().meta(about('The phone number, E.164. It never changes.', '+14155550123')),
    displayName: z.string().meta(about('The name to identify the number.', 'Widgets number')),
    incomingUrl: z
      .string()
      .nullable()
      .meta(about('Where incoming messages are forwarded to.', 'https://example.com/whatsapp')),
    callbackProfileId: z
      .string()
      .nullable()
      .meta(
        about('The callback profile that delivery statuses go to.', 'cbp_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d'),
      ),
    imageId: z.string().nullable().meta(about('The company logo.', IMAGE_ID)),
    address: z.string().nullable().meta(about('The address of the business.', '1 Long Street, Springfield')),
    businessDescription: z.string().nullable().meta(about('What the business does.', 'Sells widgets.')),
    businessCategory: z
      .enum(Object.keys(BUSINESS_CATEGORIES) as [BusinessCategory, ...BusinessCategory[]])
      .meta(about('An id of GET /v1/business-categories.', 'RETAIL')),
    contactEmail: z
      .string()
      .nullable()
      .meta(about('An address for the public profile; notices never go there.', 'hello@example.com')),
    website: z.string().nullable().meta(about('The website of the business.', 'https://example.com')),
    imageUrl: z
      .string()
      .nullable()
      .meta(about('Where the company logo is, for the same callers.', IMAGE_URL)),
    status: z.enum(NUMBER_STATUSES).meta(about('Where the number is in its life.', 'PENDING_VERIFICATION')),
    waitingFor: z
      .enum(WAITING_FOR)
      .nullable()
      .meta(about('Who has to act; null when nobody has.', 'support')),
    nextAction: nextActionView.nullable().describe('What they have to do; null when nobody has to act.'),
    attempt: z.int().meta(about('1 for the first submission, one more for each resubmission.', 1)),
    revision: z.int().meta(about('Rises with every visible change; the ETag.', 1)),
    rejection: rejectionView.nullable().describe('Why it is rejected; null where it is not.'),
    question: questionView.nullable().describe('Asked of the customer and not answered yet.'),
    qualityRating: z
      .enum(QUALITY_RATINGS)
      .nullable()
      .describe("Meta's status of the number; null while it is not known."),
    facebook: facebookView
      .nullable()
      .describe(
        'What is to be done at Meta; null where nothing is: support records the decision, or it is approved and connected.',
      ),
    whatsappName: z
      .object({
        name: z
          .string()
          .nullable()
          .meta(about('Shown now; null before the first approval.', 'Widgets number')),
        status: z.string().meta(about("Meta's word for the review of the name; an open list.", 'APPROVED')),
        requestedName: z
          .string()
          .nullable()
          .meta(about('Asked for and not shown yet; null where none is.', 'Widgets number')),
        reason: z
          .string()
          .nullable()
          .meta(about('Why it was declined.', 'The name does not fit the business.')),
      })
      .nullable()
      .describe('What WhatsApp shows as the name; null while it is not known.'),
    sync: z
      .object({
        state: z.enum(SYNC_STATES).describe('Whether Meta has the profile as it is here.'),
        reason: z.string().nullable().meta(about('Why it failed.', 'Meta does not take this website.')),
        at: time.describe('Since when.'),
        differences: z
          .array(
            z.object({
              field: z.string().meta(about('The field.', 'address')),
              theirs: z.string().nullable().meta(about('What Meta shows.', '1 Long Street, Springfield')),
            }),
          )
          .describe(
            'What Meta shows otherwise, as last read. Nothing is done about it until one chooses: POST /v1/numbers/{id}/sync, or an edit of the field.',
          ),
      })
      .nullable()
      .describe('Whether the profile has reached Meta; null where it never goes there.'),
    qualityColor: z
      .enum(QUALITY_COLORS)
      .nullable()
      .describe("Meta's quality rating; null while it is not known."),
    connectionStatus: z
      .string()
      .nullable()
      .meta(about("Meta's own word for the status; an open list.", 'CONNECTED')),
    messagingLimit: z
      .enum(MESSAGING_LIMITS)
      .nullable()
      .describe('How many customers may be written to in 24 hours; null while it is not known.'),
    limitScope: z
      .enum(LIMIT_SCOPES)
      .nullable()
      .describe('Whether the limit is of this number, or shared by all of the business.'),
    qualityAt: time.describe('When the rating was learnt.').nullable(),
    qualitySource: z
      .enum(SOURCES)
      .nullable()
      .describe('How the rating was learnt: told by Meta, or read there.'),
    limitAt: time.describe('When the limit was learnt.').nullable(),
    limitSource: z
      .enum(SOURCES)
      .nullable()
      .describe('How the limit was learnt: told by Meta, or read there.'),
    submittedAt: time.describe('When the current attempt was submitted.'),
    submittedBy: actorView.describe('Who submitted the current attempt.'),
    decidedAt: time.describe('When the current attempt was approved or rejected.').nullable(),
    createdAt: time.describe('When it was first submitted.'),
    updatedAt: time.describe('When it last changed.'),
    account: z
      .object({
        id: z.string().meta(about('The account.', ACCOUNT_ID)),
        name: z.string().meta(about('What it is called.', 'Widgets Inc.')),
      })
      .optional()
      .describe('The account; for staff only.'),
    approvals: z
      .array(approvalView)
      .optional()
      .describe('Given so far, where verification needs more than one; for staff only.'),
    approvalsNeeded: z
      .int()
      .optional()
      .meta(about('How many supporters have to approve the details; for staff only.', 1)),
    verification: decisionView.nullable().optional().describe("Support's decision; for staff only."),
    facebookDecision: decisionView.nullable().optional().describe("Facebook's decision; for staff only."),
  })
  .meta({ id: 'Number', description: 'A number with its profile and where it is in its life.' });
export type NumberView = z.output<typeof numberView>;

export const numberPage = page(numberView, 'NumberPage', 'Numbers, newest first.');

export const eventView = z
  .object({
    id: z.string().meta(about('The event.', 'evt_019b2c3d4e5f7a8b9c0d1e2f3a4b5c6d')),
    type: z.enum(EVENT_TYPES).meta(about('What happened. The list may grow.', 'submitted')),
    at: time.describe('When.'),
    actor: actorView.describe('Who did it.'),
    attempt: z.int().meta(about('In which attempt.', 1)),
    data: z.record(z.string(), z.unknown()).meta(
      about('What belongs to the type: the text of a comment, the reason of a rejection, changed fields.', {
        text: 'Which of your shops is this?',
      }),
    ),
  })
  .meta({ id: 'Event', description: 'Something that happened to a number.' });
export type EventView = z.output<typeof eventView>;

export const eventPage = page(eventView, 'EventPage', 'What happened, oldest first.');

export const categoryList = z
  .object({
    items: z
      .array(
        z.object({
          id: z.string().meta(about('What to send as `businessCategory`.', 'RETAIL')),
          label: z.string().meta(about('What people read.', 'Shopping and Retail')),
        }),
      )
      .describe('All categories.'),
  })
  .meta({ id: 'BusinessCategories', description: 'The business categories that Meta knows.' });

/** What stands in the way of a decision or a withdrawal; part of a problem. */
export const standingDecision = z
  .object({
    outcome: z.enum([...OUTCOMES, 'withdrawn', 'released']).describe('How it ended.'),
    by: actorView.describe('Who decided.'),
    at: time.describe('When.'),
  })
  .meta({ id: 'StandingDecision', description: 'The decision that stands in the way.' });
export type StandingDecision = z.output<typeof standingDecision>;

/** Who looks: staff see people, the account and the decisions as taken. */
export type Viewer = 'customer' | 'staff';

/** What is known of a number beside its state: it never changes, but for the submitter of a new attempt. */
export interface NumberFacts {
  id: string;
  accountId: string;
  mobileNumber: string;
  submittedBy: Actor;
  /** RFC 3339, UTC. */
  createdAt: string;
  approvalsNeeded: number;
  /** For staff, where it was read along. */
  accountName?: string | undefined;
}

export function viewNumber(number: NumberFacts, state: NumberState, viewer: Viewer): NumberView {
  const { waitingFor, nextAction } = nextStep(state);
  const view: NumberView = {
    // First: an object is spread quickly only into an empty one, and lists have many.
    ...state.profile,
    id: number.id,
    accountId: number.accountId,
    mobileNumber: number.mobileNumber,
    imageUrl: state.profile.imageId && pathOfImage(state.profile.imageId),
    status: state.status,
    waitingFor,
    nextAction,
    attempt: state.attempt,
    revision: state.revision,
    rejection: rejectionOf(state),
    question: viewQuestion(state, viewer),
    facebook: viewFacebook(state.facebook),
    whatsappName: viewName(state.whatsappName),
    sync: state.sync,
    ...state.quality,
    submittedAt: state.submittedAt,
    submittedBy: viewActor(number.submittedBy, viewer),
    decidedAt: state.decidedAt,
    createdAt: number.createdAt,
    updatedAt: state.updatedAt,
  };
  return viewer === 'staff' ? { ...view, ...staffView(number, state) } : view;
}

function staffView(number: NumberFacts, state: NumberState): Partial<NumberView> {
  const held = state.status === 'PENDING_VERIFICATION';
  return {
    ...(number.accountName !== undefined && {
      account: { id: number.accountId, name: number.accountName },
    }),
    approvals: state.approvals.map(({ by, at }) => ({ by: viewActor(by, 'staff'), at })),
    approvalsNeeded: number.approvalsNeeded,
    verification: viewDecision(state.verification, false),
    facebookDecision: viewDecision(state.facebookDecision, held),
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

/** Customers learn that support did something, not who. */
export function viewActor(actor: Actor, viewer: Viewer): Actor {
  const staff = actor.type === 'support' || actor.type === 'operator';
  return viewer === 'customer' && staff ? { type: 'support', id: null } : { type: actor.type, id: actor.id };
}

function viewFacebook(progress: FacebookProgress | null): NumberView['facebook'] {
  if (progress === null) return null;
  const { step, turn, since, codeMethod, problem } = progress;
  const { message, code, fbtraceId, until } = problem ?? {};
  return {
    step,
    turn,
    since,
    codeMethod,
    problem:
      message === undefined
        ? null
        : { message, code: code ?? null, fbtraceId: fbtraceId ?? null, until: until ?? null },
  };
}

function viewName(known: WhatsappName | null): NumberView['whatsappName'] {
  if (known === null) return null;
  const { name, status, requestedName, reason } = known;
  return { name, status, requestedName, reason };
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

export function page<T extends z.ZodType>(item: T, id: string, description: string) {
  return z
    .object({
      items: z.array(item).describe('As many as `limit` asked for, or what is left.'),
      nextCursor: z
        .string()
        .nullable()
        .meta(about('Send it as `cursor` for the next page; null on the last.', 'Im51bV8wMTli')),
    })
    .meta({ id, description });
}
