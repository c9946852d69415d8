/** Errors of the Graph API in Meta's shape. Statuses and texts: Meta's "Error codes" of the Cloud API. */
import { randomBytes } from 'node:crypto';

interface Kind {
  status: number;
  message: string;
  transient?: true;
}

const KINDS: Record<number, Kind> = {
  1: { status: 500, message: 'An unknown error occurred', transient: true },
  2: { status: 503, message: 'Service temporarily unavailable', transient: true },
  4: { status: 400, message: 'Application request limit reached', transient: true },
  10: { status: 403, message: 'Application does not have permission for this action' },
  17: { status: 400, message: 'User request limit reached', transient: true },
  100: { status: 400, message: 'Invalid parameter' },
  190: { status: 401, message: 'Error validating access token: Session has expired' },
  200: { status: 403, message: 'Permissions error' },
  368: { status: 403, message: 'Temporarily blocked for policies violations' },
  2500: { status: 400, message: 'Unknown path components' },
  80007: { status: 400, message: 'Rate limit hit for this WhatsApp Business Account', transient: true },
  130429: { status: 400, message: 'Rate limit hit', transient: true },
  130497: { status: 400, message: 'Business account is restricted from messaging users in this country' },
  131000: { status: 500, message: 'Something went wrong', transient: true },
  131009: { status: 400, message: 'Parameter value is not valid' },
  131031: { status: 403, message: 'Business Account locked' },
  131042: { status: 400, message: 'Business eligibility payment issue' },
  131045: { status: 500, message: 'Incorrect certificate' },
  131056: { status: 400, message: 'Pair rate limit hit', transient: true },
  133000: { status: 500, message: 'Incomplete deregistration' },
  133004: { status: 503, message: 'Server temporarily unavailable', transient: true },
  133005: { status: 400, message: 'Two step verification PIN Mismatch' },
  133006: { status: 400, message: 'Phone number re-verification needed' },
  133008: { status: 400, message: 'Too many two step verification PIN guesses' },
  133009: { status: 400, message: 'Two step verification PIN guessed too fast' },
  133010: { status: 400, message: 'Phone number not registered' },
  133015: {
    status: 400,
    message: 'Please wait a few minutes before attempting to register this phone number',
  },
  133016: {
    status: 400,
    message:
      'Registration or Deregistration failed because there were too many attempts for this phone number in a short period of time',
  },
  136024: { status: 400, message: 'Request code error' },
  200000: { status: 400, message: 'Cannot add phone number to WhatsApp Business Account' },
};

export interface ErrorOptions {
  subcode?: number | undefined;
  /** Instead of what the code says in general. */
  message?: string | undefined;
  /** `error_data.details`: what is wrong with this call. */
  details?: string | undefined;
  /** `error_user_title` and `error_user_msg`. */
  user?: { title: string; text: string } | undefined;
  status?: number | undefined;
  transient?: boolean | undefined;
}

export class GraphError extends Error {
  readonly code: number;
  readonly status: number;
  readonly options: ErrorOptions;

  constructor(code: number, options: ErrorOptions = {}) {
    super(`(#${code}) ${options.message ?? KINDS[code]?.message ?? 'Something went wrong'}`);
    this.code = code;
    this.status = options.status ?? KINDS[code]?.status ?? 400;
    this.options = options;
  }

  body() {
    const { subcode, details, user, transient } = this.options;
    return {
      error: {
        message: this.message,
        type: 'OAuthException',
        code: this.code,
        ...(details !== undefined && { error_data: { messaging_product: 'whatsapp', details } }),
        ...(subcode !== undefined && { error_subcode: subcode }),
        is_transient: transient ?? KINDS[this.code]?.transient ?? false,
        ...(user && { error_user_title: user.title, error_user_msg: user.text }),
        fbtrace_id: `A${randomBytes(16).toString('base64url')}`,
      },
    };
  }
}

export function badParameter(details: string): GraphError {
  return new GraphError(100, { details });
}

/** What the Graph API says of objects that do not exist and of those of others. */
export function noSuchObject(method: string, id: string): GraphError {
  return new GraphError(100, {
    subcode: 33,
    message: `Unsupported ${method.toLowerCase()} request. Object with ID '${id}' does not exist, cannot be loaded due to missing permissions, or does not support this operation`,
  });
}
