/** Errors as answers: RFC 9457 problems from the one table in `contract/errors.ts`. */
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEMS, type ProblemCode } from '../contract/errors.ts';

/** One thing at fault in a request. */
export interface Fault {
  /** JSON pointer into the body (`/displayName`), or the name of a query parameter or header. */
  pointer: string;
  /** What kind of fault, as a word. */
  code: string;
  /** What to do. */
  detail: string;
}

interface ProblemOptions {
  /** What is wrong here, in place of the table's advice. */
  detail?: string;
  /** What is wrong here, told before the table's advice. */
  fact?: string;
  errors?: Fault[];
  /** Members of their own: `numberId`, `decision`. */
  extra?: Record<string, unknown>;
  headers?: Record<string, string>;
  cause?: unknown;
}

/** Seconds after which a repeat is worth a try. */
const RETRY_AFTER: Partial<Record<ProblemCode, string>> = { idempotency_in_flight: '2', unavailable: '5' };

/** Thrown anywhere in a request to answer it with a problem. */
export class ProblemError extends Error {
  override name = 'ProblemError';
  readonly code: ProblemCode;
  readonly options: ProblemOptions;

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const { detail = [options.fact, PROBLEMS[code].advice].filter(Boolean).join(' ') } = options;
    super(detail, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.options = options;
  }

  get status(): number {
    return PROBLEMS[this.code].status;
  }

  /** What can be stored and thrown again for a repeated request. */
  toJSON(): { code: ProblemCode; detail: string; errors?: Fault[]; extra?: Record<string, unknown> } {
    const { errors, extra } = this.options;
    return { code: this.code, detail: this.message, ...(errors && { errors }), ...(extra && { extra }) };
  }
}

/** A body with one field at fault. */
export function invalidField(pointer: string, code: string, detail: string): ProblemError {
  return new ProblemError('invalid_request', { errors: [{ pointer, code, detail }] });
}

/** Query parameters at fault. */
export function malformedQuery(errors: Fault[]): ProblemError {
  const detail = '`errors` names each query parameter at fault, with what to do.';
  return new ProblemError('malformed_request', { errors, detail });
}

/** Where whoever follows a link that does not work gets on, by what the link is for. Also read on its page. */
const LINK_ADVICE = {
  password:
    'If you have set the password already, sign in with it. If not, ask for a new link where you sign in, or ask an operator for one.',
  email:
    'If you have confirmed the address already, sign in. If not, ask for a new link where you signed up, or sign up again.',
  invitation:
    'If you have accepted the invitation already, sign in. If not, ask an admin of the account to invite you again.',
};

/** A link of an email that is not valid, or not any more. */
export function linkNotValid(link: keyof typeof LINK_ADVICE): ProblemError {
  const detail = `It was used or taken back, or has expired. ${LINK_ADVICE[link]}`;
  return new ProblemError('link_not_valid', { detail });
}

/** The headers that go with a problem. */
export function headersOf({ code, options }: ProblemError): Record<string, string> {
  const retryAfter = RETRY_AFTER[code];
  return { ...(retryAfter && { 'retry-after': retryAfter }), ...options.headers };
}

/** What is answered to this request: the members of RFC 9457 and ours. */
function problemBody(error: ProblemError, request: FastifyRequest, publicUrl: string) {
  return {
    type: `${publicUrl}/problems/${error.code}`,
    title: PROBLEMS[error.code].title,
    status: error.status,
    detail: error.message,
    code: error.code,
    instance: pathOf(request.url),
    requestId: request.id,
    errors: error.options.errors ?? [],
    ...error.options.extra,
  };
}

export function sendProblem(
  error: ProblemError,
  request: FastifyRequest,
  reply: FastifyReply,
  publicUrl: string,
) {
  return (
    reply
      .code(error.status)
      .headers(headersOf(error))
      .type('application/problem+json')
      // Not by the route's schemas: a problem must be told even where a route forgot to declare it.
      .serializer(JSON.stringify)
      .send(problemBody(error, request, publicUrl))
  );
}

/** The path of a URL: query strings may hold personal data and stay out of logs and problems. */
function pathOf(url: string): string {
  const end = url.indexOf('?');
  return end === -1 ? url : url.slice(0, end);
}
