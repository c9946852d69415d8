/**
 * The one table of problems: HTTP status, title and what the caller can do about it. A problem's `type` is
 * `<public address>/problems/<code>`, where this table is readable. Workflow code refuses an update with the
 * same names as `ApplicationFailure` types.
 */
interface Problem {
  status: number;
  title: string;
  /** What it means and what to do, for the page behind `type`. */
  advice: string;
}

export const PROBLEMS = {
  malformed_request: {
    status: 400,
    title: 'The request cannot be read',
    advice: 'The body is not JSON, or a query parameter or cursor is not of its form. Correct the request.',
  },
  unauthenticated: {
    status: 401,
    title: 'Not signed in',
    advice: 'Send "Authorization: Bearer <API key>" with a key that is neither revoked nor expired.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    advice: 'Your role, or the scopes of your key, do not include this call. Ask an administrator.',
  },
  not_found: {
    status: 404,
    title: 'Not found',
    advice: 'There is nothing at this address, or it is not yours to see. Check the id.',
  },
  method_not_allowed: {
    status: 405,
    title: 'Method not allowed',
    advice: 'The address exists, but not with this method. The Allow header lists those that do.',
  },
  number_taken: {
    status: 409,
    title: 'The number is taken',
    advice:
      'The phone number is pending or approved already. If it is yours, `numberId` names it; otherwise contact support.',
  },
  not_approved: {
    status: 409,
    title: 'The number is not approved',
    advice:
      'Only an approved number can be edited or released. Wait for approval, resubmit a rejected one, or submit a withdrawn or released one as a new number.',
  },
  not_pending: {
    status: 409,
    title: 'The number is not pending',
    advice: 'Only a pending number can be decided on or withdrawn. Read the number again.',
  },
  not_rejected: {
    status: 409,
    title: 'The number is not rejected',
    advice:
      'Only a rejected number can be resubmitted. Submit one that was withdrawn or released as a new number.',
  },
  already_decided: {
    status: 409,
    title: 'Already decided',
    advice: 'The first decision of a stage stands; `decision` carries it. Read the number again.',
  },
  stale_attempt: {
    status: 409,
    title: 'The decision is for an older attempt',
    advice: 'The number was resubmitted meanwhile. Look at the new attempt and decide again.',
  },
  idempotency_in_flight: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still running',
    advice: 'Repeat the request with the same key after the seconds of Retry-After.',
  },
  revision_conflict: {
    status: 412,
    title: 'The number was changed meanwhile',
    advice: 'Read the number again and send If-Match with its new ETag.',
  },
  too_large: {
    status: 413,
    title: 'The request is too large',
    advice: 'Send a smaller body; bodies of this API are bounded at 64 KiB.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'Unsupported media type',
    advice:
      'Send JSON with "Content-Type: application/json"; PATCH also takes "application/merge-patch+json".',
  },
  invalid_request: {
    status: 422,
    title: 'The request is not valid',
    advice: '`errors` names each field at fault by a JSON pointer, with what to do.',
  },
  idempotency_key_reused: {
    status: 422,
    title: 'The Idempotency-Key was used for another request',
    advice:
      'Draw a new key for each new request; repeat a key only with the same method, path, body and If-Match.',
  },
  internal: {
    status: 500,
    title: 'Something went wrong on our side',
    advice: 'Repeat the request with the same Idempotency-Key. If it stays, report the requestId.',
  },
  unavailable: {
    status: 503,
    title: 'Temporarily unavailable',
    advice:
      'Nothing was accepted, or the same Idempotency-Key finds it. Repeat the request after the seconds of Retry-After.',
  },
} as const satisfies Record<string, Problem>;

export type ProblemCode = keyof typeof PROBLEMS;
