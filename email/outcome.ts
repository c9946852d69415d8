/** What came of handing an email to the mail server, judged from what nodemailer reports. */
import type { NodemailerError } from 'nodemailer';

/**
 * `sent`: taken for at least one recipient; `rejected` lists the others.
 * `deferred`: surely not taken, and another try may help: the server is unreachable or asks to wait, or our own
 * settings are wrong.
 * `refused`: not taken and never will be: every recipient, or the message, refused for good.
 * `ambiguous`: the message was handed over and no answer came. It may have been taken; to be sent again with
 * the same `Message-ID`.
 */
export interface SendOutcome {
  outcome: 'sent' | 'deferred' | 'refused' | 'ambiguous';
  /** The server's words or the error, at most 500 characters, without secrets. */
  detail: string;
  /** Recipients that the server did not take. */
  rejected: string[];
}

/** Permanent by their first digit, but about the session and our credentials, not about an address. */
const OUR_TROUBLE = new Set([500, 502, 503, 504, 530, 534, 535, 538]);
/**
 * Enhanced codes (RFC 3463, 7372, 7505) that speak of us as a sender: not authorized or on a blocklist, no trust in
 * how we sign. That can be mended. To the message itself `5.7.1` mostly means spam, which cannot.
 */
const ABOUT_US = { 'RCPT TO': /^5\d\d[ -]5\.7\.(0|1|8|9|2\d)(?!\d)/, DATA: /^5\d\d[ -]5\.7\.2\d(?!\d)/ };

/**
 * Judges a failed try. `handedOver`: at least a part of the message was given to the connection, which happens
 * only after the server agreed to DATA.
 */
export function judge(error: NodemailerError, handedOver: boolean): SendOutcome['outcome'] {
  if (error.responseCode !== undefined) {
    const { command, responseCode, response = '' } = error;
    // To MAIL FROM, EHLO or AUTH a refusal speaks of us: mending the configuration mends it.
    if (command !== 'RCPT TO' && command !== 'DATA') return 'deferred';
    const aboutUs = OUR_TROUBLE.has(responseCode) || ABOUT_US[command].test(response);
    return error.permanent === true && !aboutUs ? 'refused' : 'deferred';
  }
  // An address that cannot be put on the wire, such as one with a line break. (A wrong sender is ours.)
  if (error.code === 'EENVELOPE' && /^(Invalid recipient|No recipients)/.test(error.message))
    return 'refused';
  return handedOver ? 'ambiguous' : 'deferred';
}
