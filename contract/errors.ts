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
    advice:
      'Send "Authorization: Bearer <API key>" with a key that is neither revoked nor expired, or sign in: POST /v1/session.',
  },
  wrong_signature: {
    status: 401,
    title: 'The signature is wrong',
    advice:
      'The body is not signed with a secret that is known here. Compare META_APP_SECRETS with the app secret at Meta; a proxy must not change the body.',
  },
  forbidden: {
    status: 403,
    title: 'Not allowed',
    advice:
      'Your role, or the scopes of your key, do not include this call. An admin of the account can do it or give you the right; staff ask an operator.',
  },
  wrong_credentials: {
    status: 401,
    title: 'Wrong email address, password or code',
    advice:
      'Check the email address and the password and try again, or ask for a password reset. The answer is the same whichever is wrong.',
  },
  two_factor_needed: {
    status: 403,
    title: 'Two-factor authentication is needed',
    advice: 'Staff set it up first: POST /v1/session/two-factor/setup, then confirm with a code.',
  },
  email_not_verified: {
    status: 403,
    title: 'The email address is not verified',
    advice: 'Open the link in the email that was sent to it; POST /v1/email-verifications sends another.',
  },
  cross_origin: {
    status: 403,
    title: 'Called from another site',
    advice: 'A session cookie is taken from the pages of this server only. Programs send an API key instead.',
  },
  own_account: {
    status: 403,
    title: 'The number is of an account of yours',
    advice: 'Nobody decides on a number of an account that they belong to. Leave it to a colleague.',
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
  code_not_awaited: {
    status: 409,
    title: 'No code is awaited',
    advice:
      'Meta asks for no verification code of this number now, or another one is being checked. Read the number again: `facebook` says where it stands.',
  },
  nothing_to_resume: {
    status: 409,
    title: 'Nothing is held up at Meta',
    advice: '`facebook` and `sync` of the number say where it stands. Read the number again.',
  },
  second_approval_needed: {
    status: 409,
    title: 'A second person has to approve',
    advice:
      'You gave the first approval; `approvals` of the number tells. Approval in this category needs another supporter.',
  },
  claimed: {
    status: 409,
    title: 'Another supporter has claimed the review',
    advice:
      '`claimedBy` has it until `claimExpiresAt`. Take another one, or take it over: PUT /v1/numbers/{id}/claim with {"force": true}.',
  },
  not_claimed: {
    status: 409,
    title: 'The review is not yours to give back',
    advice: 'Nobody has claimed it, or somebody else has. Read the queue again.',
  },
  profile_in_use: {
    status: 409,
    title: 'The callback profile is in use',
    advice:
      'Pending or approved numbers use it; `numberIds` names some. Give approved ones another profile; wait for the decision on pending ones, or withdraw them.',
  },
  no_target: {
    status: 409,
    title: 'There is nowhere to send it to',
    advice:
      '`detail` says what is missing: the Incoming URL of the number, or a callback profile that is active. Set it, and repeat the request.',
  },
  target_off: {
    status: 409,
    title: 'The target is switched off',
    advice:
      'It has failed for days, or answered 410. Mend it, switch it on (POST /v1/numbers/{id}/incoming-url/enable, POST /v1/callback-profiles/{id}/enable), and repeat the request.',
  },
  already_exists: {
    status: 409,
    title: 'It exists already',
    advice: '`detail` says what. Use that one, or send something else.',
  },
  last_admin: {
    status: 409,
    title: 'The account needs an admin',
    advice: 'Make somebody else an admin first, or close the account.',
  },
  account_closed: {
    status: 409,
    title: 'The account is closed',
    advice: 'A closed account cannot be changed any more. Contact support.',
  },
  limit_reached: {
    status: 409,
    title: 'There are as many as there may be',
    advice:
      '`detail` says of what and how many. Remove one that is not needed any more; where they are counted by the day, wait.',
  },
  meta_not_configured: {
    status: 409,
    title: 'This service is not connected to Meta',
    advice:
      'Numbers are brought to WhatsApp by hand here, and there is nothing to connect. Ask support, whose operators can set META_APP_ID.',
  },
  waba_taken: {
    status: 409,
    title: 'The WhatsApp Business Account is connected already',
    advice:
      'Another account of this service, or the service itself, works with it. Connect one of your own, or contact support.',
  },
  waba_in_use: {
    status: 409,
    title: 'Numbers live in the WhatsApp Business Account that is connected',
    advice:
      'Pending and approved numbers of yours are in it, or one is not deregistered yet. Send a new token for the same account, or release its numbers first.',
  },
  idempotency_in_flight: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still running',
    advice: 'Repeat the request with the same key after the seconds of Retry-After.',
  },
  link_not_valid: {
    status: 410,
    title: 'The link is not valid any more',
    advice:
      'It was used or taken back, or has expired. Ask for a new one: POST /v1/password-resets, POST /v1/email-verifications, or an admin of the account for an invitation. What a decision link was for is in the review queue.',
  },
  events_gone: {
    status: 410,
    title: 'Events after that one are not kept any more',
    advice:
      'Events are kept for 30 days. Read on from the oldest that there is: GET /v1/events without `after`.',
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
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    advice: 'Wait for the seconds of Retry-After; the RateLimit headers say what is left.',
  },
  quota_exceeded: {
    status: 429,
    title: 'The quota is used up',
    advice:
      'The account may submit no more for now; the quota is the same for all accounts. Repeat after the seconds of Retry-After.',
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
