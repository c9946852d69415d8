import type { EmailData } from '../contract/emails.ts';
import type { EmailKind } from '../contract/number.ts';
import { type Letter, letterHtml, letterText, subjectLine } from './letter.ts';
import {
  accountClosed,
  invitation,
  resetPassword,
  staffInvitation,
  verifyEmail,
} from './templates/account.ts';
import { approved } from './templates/approved.ts';
import { comment } from './templates/comment.ts';
import { customerComment } from './templates/customer-comment.ts';
import { codeNeeded, codeReminder, facebookProblem, nameDeclined, quality } from './templates/facebook.ts';
import { metaNotice } from './templates/meta-notice.ts';
import { metaTrouble } from './templates/meta-trouble.ts';
import { rejected } from './templates/rejected.ts';
import { reviewDigest, reviewEscalation, reviewRequest } from './templates/review.ts';
import { submitted } from './templates/submitted.ts';
import { targetOff } from './templates/target-off.ts';
import { verified } from './templates/verified.ts';
import { withdrawn } from './templates/withdrawn.ts';

const TEMPLATES: { [K in EmailKind]: (data: EmailData[K]) => Letter } = {
  submitted,
  verified,
  approved,
  rejected,
  withdrawn,
  comment,
  'code-needed': codeNeeded,
  'code-reminder': codeReminder,
  'facebook-problem': facebookProblem,
  'name-declined': nameDeclined,
  quality,
  'customer-comment': customerComment,
  'review-request': reviewRequest,
  'verify-email': verifyEmail,
  'reset-password': resetPassword,
  invitation,
  'staff-invitation': staffInvitation,
  'account-closed': accountClosed,
  'meta-trouble': metaTrouble,
  'target-off': targetOff,
  'meta-notice': metaNotice,
  'review-digest': reviewDigest,
  'review-escalation': reviewEscalation,
};

/** Renders an email. Throws where `data` is not that of the kind. */
export function render<K extends EmailKind>(
  kind: K,
  data: EmailData[K],
): { subject: string; text: string; html: string } {
  const letter = TEMPLATES[kind](data);
  return { subject: subjectLine(letter.subject), text: letterText(letter), html: letterHtml(letter) };
}
