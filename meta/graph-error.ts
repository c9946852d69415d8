/** A call to Meta that did not do what it was made for. Says nothing that is secret. */
import { redacted } from './redact.ts';

interface Details {
  /** Meta's error code and subcode; null where it did not answer in its own form. */
  code: number | null;
  subcode: number | null;
  fbtraceId: string | null;
  /** HTTP status; null where no answer came. */
  status: number | null;
  /** Whether Meta says that a try again may do. */
  isTransient: boolean;
  /** What Meta says is wrong with this call; may be empty. */
  details: string;
  /** How long Meta asks to wait, in milliseconds; null where it does not say. */
  retryAfterMs: number | null;
}

export class GraphError extends Error {
  override name = 'GraphError';
  readonly code: number | null;
  readonly subcode: number | null;
  readonly fbtraceId: string | null;
  readonly status: number | null;
  readonly isTransient: boolean;
  readonly details: string;
  readonly retryAfterMs: number | null;

  constructor(call: string, details: Partial<Details>) {
    const { code = null, subcode = null, status = null } = details;
    const answer =
      code !== null
        ? `refused with code ${code}${subcode === null ? '' : `, subcode ${subcode}`}`
        : status === null
          ? 'was not answered'
          : `was answered with status ${status}`;
    super(`${call} at Meta ${answer}`);
    this.code = code;
    this.subcode = subcode;
    this.status = status;
    this.fbtraceId = details.fbtraceId ?? null;
    this.isTransient = details.isTransient ?? false;
    this.details = details.details ?? '';
    this.retryAfterMs = details.retryAfterMs ?? null;
  }

  /** What a log line may say of it. */
  toJSON() {
    const { message, code, subcode, fbtraceId, status } = this;
    return { message, code, subcode, fbtraceId, status };
  }
}

/** Meta's answer with an error in it, in the form that all of its APIs share. */
export function readGraphError(
  call: string,
  answer: { status: number; headers: Headers; body: unknown },
  secrets: readonly string[],
): GraphError {
  const { status, headers } = answer;
  const retryAfterMs = waitOf(headers);
  const error = objectOf(objectOf(answer.body)['error']);
  if (typeof error['code'] !== 'number') return new GraphError(call, { status, retryAfterMs });
  const said = objectOf(error['error_data'])['details'] ?? error['error_user_msg'] ?? error['message'];
  return new GraphError(call, {
    status,
    code: error['code'],
    subcode: typeof error['error_subcode'] === 'number' ? error['error_subcode'] : null,
    fbtraceId: typeof error['fbtrace_id'] === 'string' ? error['fbtrace_id'].slice(0, 100) : null,
    isTransient: error['is_transient'] === true,
    details: typeof said === 'string' ? redacted(said.replace(/^\(#\d+\) /, ''), secrets) : '',
    retryAfterMs,
  });
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

/** By `Retry-After` in seconds, or the minutes that Meta's own header says until calls are taken again. */
function waitOf(headers: Headers): number | null {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  if (seconds > 0) return seconds * 1000;
  const usage = headers.get('x-business-use-case-usage') ?? '';
  const minutes = [...usage.matchAll(/"estimated_time_to_regain_access":\s*(\d+)/g)].map(([, n]) =>
    Number(n),
  );
  const longest = Math.max(0, ...minutes);
  return longest > 0 ? longest * 60_000 : null;
}
