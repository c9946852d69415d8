/** What the product answers for a row, written down by hand as the shortest way there. */

/** A row as postgres.js gives it. */
export type Row = Record<string, never> & {
  id: string;
  status: string;
  verification: Decision | null;
  facebook_decision: Decision | null;
  submitted_by: { type: string; id: string };
  waiting_since: string | null;
};
interface Decision {
  outcome: string;
  reason: string;
  code: string;
  fields: string[];
  by: { type: string; id: string };
  at: string;
}

const LIMIT = 50;
const cursor = (place: unknown) => Buffer.from(JSON.stringify(place)).toString('base64url');

export function bareNumberPage(rows: Row[], staff: boolean) {
  const last = rows.length > LIMIT ? rows[LIMIT - 1] : undefined;
  return {
    items: rows.slice(0, LIMIT).map((row) => numberOf(row, staff)),
    nextCursor: last ? cursor(last.id) : null,
  };
}

export function bareReviewPage(rows: Row[], known: Record<string, unknown>[]) {
  const last = rows.length > LIMIT ? rows[LIMIT - 1] : undefined;
  return {
    items: rows.slice(0, LIMIT).map((row, n) => ({
      number: numberOf(row, true),
      stage: row.status === 'PENDING_VERIFICATION' ? 'verification' : 'facebook',
      waitingSince: row.waiting_since,
      dueAt: row['due_at'],
      claimedBy: known[n]?.['claimedBy'],
      claimExpiresAt: known[n]?.['claimExpiresAt'],
      warnings: known[n]?.['warnings'],
      previous: known[n]?.['previous'],
    })),
    nextCursor: last
      ? cursor({ first: last['attempt'] === 1, waitingSince: last.waiting_since, id: last.id })
      : null,
  };
}

function numberOf(row: Row, staff: boolean) {
  const { status, verification, facebook_decision: facebook } = row;
  const rejection =
    status !== 'REJECTED' ? null : verification?.outcome === 'rejected' ? verification : facebook;
  const pending = status === 'PENDING_VERIFICATION';
  const waitingFor = pending
    ? 'support'
    : status === 'PENDING_FACEBOOK_APPROVAL'
      ? 'facebook'
      : status === 'REJECTED'
        ? 'customer'
        : null;
  return {
    id: row.id,
    accountId: row['account_id'],
    mobileNumber: row['mobile_number'],
    displayName: row['display_name'],
    incomingUrl: row['incoming_url'],
    callbackProfileId: row['callback_profile_id'],
    imageId: row['image_id'],
    address: row['address'],
    businessDescription: row['business_description'],
    businessCategory: row['business_category'],
    contactEmail: row['contact_email'],
    website: row['website'],
    imageUrl: null,
    status,
    waitingFor,
    nextAction:
      waitingFor === null
        ? null
        : {
            type: waitingFor === 'support' ? 'verify' : waitingFor === 'facebook' ? 'decide' : 'resubmit',
            fields: rejection?.fields ?? [],
            dueAt: waitingFor === 'customer' ? null : row['due_at'],
          },
    attempt: row['attempt'],
    revision: row['revision'],
    rejection: rejection && {
      by: rejection === verification ? 'support' : 'facebook',
      reason: rejection.reason,
      code: rejection.code,
      fields: rejection.fields,
      at: rejection.at,
    },
    question: null,
    facebook: row['facebook'],
    whatsappName: row['whatsapp_name'],
    sync: row['sync'],
    qualityRating: row['quality_rating'],
    qualityColor: row['quality_color'],
    connectionStatus: row['connection_status'],
    qualityAt: row['quality_at'],
    qualitySource: row['quality_source'],
    messagingLimit: row['messaging_limit'],
    limitScope: row['limit_scope'],
    limitAt: row['limit_at'],
    limitSource: row['limit_source'],
    submittedAt: row['submitted_at'],
    submittedBy: row.submitted_by,
    decidedAt: row['decided_at'],
    createdAt: row['created_at'],
    updatedAt: row['updated_at'],
    ...(staff && {
      account: { id: row['account_id'], name: row['name'] },
      approvals: row['approvals'],
      approvalsNeeded: row['approvals_needed'],
      verification: verification && decisionOf(verification, false),
      facebookDecision: facebook && decisionOf(facebook, pending),
    }),
  };
}

function decisionOf({ outcome, reason, code, fields, by, at }: Decision, held: boolean) {
  return { outcome, reason, code, fields, by: { type: by.type, id: by.id }, at, held };
}
