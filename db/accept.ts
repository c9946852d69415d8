/**
 * Accepting submissions and resubmissions. One transaction writes the number, its timeline event and its
 * receipt email: what is accepted is complete, whether or not a workflow runs yet.
 */
import { and, eq } from 'drizzle-orm';
import type { BusinessCategory } from '../contract/categories.ts';
import { changedFields } from '../contract/changes.ts';
import { type FromMeta, NOTHING_FROM_META } from '../contract/facebook.ts';
import type { Changes, Profile, Submission } from '../contract/fields.ts';
import { newId } from '../contract/ids.ts';
import type { Actor, EventType, NumberState } from '../contract/number.ts';
import { addWorkingTime, type WorkingTime } from '../contract/working-time.ts';
import type { Transaction } from './client.ts';
import { numberEmail } from './email-rows.ts';
import { sqlStateOf, UNIQUE_VIOLATION } from './errors.ts';
import { columnsOf, type NumberRow, stateOf } from './number-row.ts';
import { insertOwnEvents } from './own-events.ts';
import { nextSubmission } from './quota.ts';
import { emails, isLiveSql, numberEvents, numbers } from './schema.ts';
import { toldEvents } from './told-events.ts';

export interface AcceptanceSettings {
  /** How much of support's working time verification may take before it is overdue. */
  verificationDueMs: number;
  workingTime: WorkingTime;
  /** Categories whose verification takes two supporters to approve. */
  fourEyes: BusinessCategory[];
  /** Domain of the `Message-ID`s. */
  mailDomain: string;
  /** Numbers that an account may submit within 24 hours. */
  submissionsPerDay: number;
}

interface Acceptance {
  accountId: string;
  by: Actor;
  operationId: string;
  settings: AcceptanceSettings;
}

/** The number is live already; `holder` is the number resource that has it, with its account. */
export interface Taken {
  taken: true;
  holder: { id: string; accountId: string } | null;
}

/** The account has submitted all that it may for now. */
export interface QuotaExceeded {
  /** When it may submit the next number. */
  until: Date;
}

/** Accepts a submission: the row as written, or why it is not. */
export async function acceptSubmission(
  tx: Transaction,
  request: Acceptance & { submission: Submission },
): Promise<NumberRow | Taken | QuotaExceeded> {
  const { submission, accountId, by } = request;
  const until = await nextSubmission(tx, accountId, request.settings.submissionsPerDay);
  if (until) return { until };
  const { mobileNumber, ...profile } = submission;
  const state = pending(profileOf(profile), { attempt: 1, revision: 1 }, NOTHING_FROM_META, request.settings);
  const insert = () =>
    tx
      .insert(numbers)
      .values({
        id: newId('num'),
        accountId,
        mobileNumber,
        submittedBy: by,
        approvalsNeeded: approvalsNeeded(state.profile, request.settings),
        createdAt: state.submittedAt,
        ...columnsOf(state),
      })
      .onConflictDoNothing({
        target: numbers.mobileNumber,
        where: isLiveSql,
      })
      .returning();

  let [row] = await insert();
  if (!row) {
    const holder = await holderOf(tx, mobileNumber);
    if (holder) return { taken: true, holder };
    // It was freed between the two statements.
    [row] = await insert();
    if (!row) return { taken: true, holder: await holderOf(tx, mobileNumber) };
  }
  await tell(tx, row, request, 'submitted', {});
  return row;
}

/**
 * Accepts a resubmission of a rejected number: next attempt, next revision, decisions cleared. Null: the
 * account has no such number.
 */
export async function acceptResubmission(
  tx: Transaction,
  request: Acceptance & {
    numberId: string;
    changes: Changes;
    /** Throws where the number is not what the caller takes it for. */
    check?: (before: NumberRow) => Promise<void>;
  },
): Promise<NumberRow | Taken | { notRejected: NumberRow } | null> {
  const { numberId, accountId, by, changes } = request;
  const mine = and(eq(numbers.id, numberId), eq(numbers.accountId, accountId));
  const [before] = await tx.select().from(numbers).where(mine).for('update');
  if (!before) return null;
  if (before.status !== 'REJECTED') return { notRejected: before };
  await request.check?.(before);
  const holder = await holderOf(tx, before.mobileNumber);
  if (holder) return { taken: true, holder };

  const old = stateOf(before);
  const next = { attempt: old.attempt + 1, revision: old.revision + 1 };
  // What Meta knows of the number stays; the way there begins anew.
  const known = { ...NOTHING_FROM_META, whatsappName: old.whatsappName, quality: old.quality };
  const state = pending({ ...old.profile, ...changes }, next, known, request.settings);
  const row = await tx
    // A savepoint: it may be taken this very moment, and the transaction has that to answer.
    .transaction((savepoint) =>
      savepoint
        .update(numbers)
        .set({
          ...columnsOf(state),
          submittedBy: by,
          approvalsNeeded: approvalsNeeded(state.profile, request.settings),
          previousReviewerId: reviewerOf(old),
        })
        .where(mine)
        .returning(),
    )
    .then(([updated]) => updated)
    .catch((error: unknown) => {
      if (isTaken(error)) return undefined;
      throw error;
    });
  if (!row) return { taken: true, holder: await holderOf(tx, before.mobileNumber) };
  await tell(tx, row, request, 'resubmitted', { changes: changedFields(old.profile, changes) });
  return row;
}

function pending(
  profile: Profile,
  count: { attempt: number; revision: number },
  known: FromMeta,
  settings: AcceptanceSettings,
): NumberState {
  const now = new Date();
  const at = now.toISOString();
  return {
    ...count,
    status: 'PENDING_VERIFICATION',
    profile,
    waitingSince: at,
    dueAt: addWorkingTime(now, settings.verificationDueMs, settings.workingTime).toISOString(),
    verification: null,
    facebookDecision: null,
    ending: null,
    approvals: [],
    question: null,
    ...known,
    submittedAt: at,
    decidedAt: null,
    updatedAt: at,
  };
}

function approvalsNeeded(profile: Profile, { fourEyes }: AcceptanceSettings): number {
  return fourEyes.includes(profile.businessCategory) ? 2 : 1;
}

/** The person who verified; null for what was sent by hand without saying who. */
function reviewerOf({ verification }: NumberState): string | null {
  const { type, id = null } = verification?.by ?? {};
  return type === 'support' && id?.startsWith('usr_') ? id : null;
}

function profileOf(profile: Omit<Submission, 'mobileNumber'>): Profile {
  return {
    displayName: profile.displayName,
    incomingUrl: profile.incomingUrl ?? null,
    callbackProfileId: profile.callbackProfileId ?? null,
    imageId: profile.imageId ?? null,
    address: profile.address ?? null,
    businessDescription: profile.businessDescription ?? null,
    businessCategory: profile.businessCategory,
    contactEmail: profile.contactEmail ?? null,
    website: profile.website ?? null,
  };
}

async function tell(
  tx: Transaction,
  row: NumberRow,
  { by, operationId, settings }: Acceptance,
  type: EventType,
  data: Record<string, unknown>,
): Promise<void> {
  const { attempt, revision, submittedAt } = row;
  const state = stateOf(row);
  const event = { attempt, revision, type, actor: by, data, operationId };
  await tx
    .insert(numberEvents)
    .values({ ...event, id: newId('evt'), numberId: row.id, at: new Date(submittedAt) });
  await insertOwnEvents(tx, toldEvents(row, state, [{ ...event, at: submittedAt, email: null }]));
  await tx.insert(emails).values(numberEmail(row, state, 'submitted', settings));
}

async function holderOf(tx: Transaction, mobileNumber: string): Promise<Taken['holder']> {
  const [holder] = await tx
    .select({ id: numbers.id, accountId: numbers.accountId })
    .from(numbers)
    .where(and(eq(numbers.mobileNumber, mobileNumber), isLiveSql));
  return holder ?? null;
}

/** The one unique index that an update of a number can violate is that over live numbers. */
function isTaken(error: unknown): boolean {
  return sqlStateOf(error) === UNIQUE_VIOLATION;
}
