/** A number's story in words, for whoever opens its workflow in the Temporal UI ("User Metadata"). */
import type { FacebookProgress, FacebookTurn } from '../contract/facebook.ts';
import {
  type Actor,
  type Decision,
  isPending,
  type NumberState,
  type NumberStatus,
} from '../contract/number.ts';

const AWAITED: Record<NumberStatus, string> = {
  PENDING_VERIFICATION: '**support** to verify the details',
  PENDING_FACEBOOK_APPROVAL: "**Facebook's** decision, which support records",
  APPROVED: 'Approved: can be edited and released',
  REJECTED: 'Rejected: the customer may resubmit it, as a new attempt with a workflow of its own',
  WITHDRAWN: 'Withdrawn',
  RELEASED: 'Released: the number is free again',
};

export interface EmailNotes {
  /** Why this workflow has left emails unsent; null where it has not. */
  trouble: string | null;
  /** Emails that a server refused for good. */
  refused: string[];
}

/** Markdown, below 20 KB. */
export function tellStory(
  mobileNumber: string,
  state: NumberState,
  about: { emails: EmailNotes; approvalsNeeded: number },
): string {
  const { question } = state;
  const { emails, approvalsNeeded } = about;
  const since = question?.at ?? state.waitingSince;
  const party = question ? "the **customer** to answer support's question" : awaitedOf(state);
  const awaited = since ? `Waits since ${time(since)} for ${party}; due ${time(state.dueAt)}.` : `${party}.`;
  const lines = [
    `## ${state.status}`,
    awaited,
    '',
    `- Number: ${mobileNumber}, "${plain(state.profile.displayName)}"`,
    `- Attempt ${state.attempt}, revision ${state.revision}, submitted ${time(state.submittedAt)}, last change ${time(state.updatedAt)}`,
    `- Support: ${decided(state.verification, state)}`,
    `- Facebook: ${decided(state.facebookDecision, state)}${isHeld(state) ? ' (held until support approves)' : ''}`,
  ];
  if (state.facebook) lines.push(...atMeta(state.facebook));
  if (state.whatsappName) {
    const { name, status, requestedName } = state.whatsappName;
    const asked = requestedName === null ? '' : `, asked for "${plain(requestedName)}"`;
    lines.push(
      `- WhatsApp shows ${name === null ? 'no name' : `"${plain(name)}"`}${asked}: ${plain(status)}`,
    );
  }
  if (state.quality.connectionStatus) {
    const { connectionStatus, qualityColor, messagingLimit } = state.quality;
    const told = [connectionStatus, qualityColor, messagingLimit].filter((word) => word !== null);
    lines.push(`- Meta says: ${told.map(plain).join(', ')}`);
  }
  if (state.sync) {
    const { state: sync, reason, at } = state.sync;
    lines.push(`- Profile at Meta: ${sync} since ${time(at)}${reason ? `: ${plain(reason)}` : ''}`);
  }
  if (approvalsNeeded > 1) {
    const given = state.approvals.map(({ by, at }) => `${who(by)} at ${time(at)}`);
    const count = `${given.length} of ${approvalsNeeded} approvals`;
    lines.push(`- Four eyes: ${[count, ...given].join('; ')}`);
  }
  if (question) lines.push(`- Asked by ${who(question.by)}: ${plain(question.text)}`);
  if (state.ending) lines.push(`- ${state.status} by ${who(state.ending.by)} at ${time(state.ending.at)}`);
  if (emails.trouble) lines.push(`- Emails: ${plain(emails.trouble)}; the ledger says what came of them`);
  for (const refused of emails.refused) lines.push(`- Emails: refused for good: ${plain(refused)}`);
  return lines.join('\n');
}

/** One line for the history row of a save, e.g. `PENDING_FACEBOOK_APPROVAL r2`. */
export function nameSave(state: NumberState): string {
  return `${state.status} r${state.revision}`;
}

function awaitedOf({ status, facebook }: NumberState): string {
  if (status !== 'PENDING_FACEBOOK_APPROVAL' || facebook === null) return AWAITED[status];
  if (facebook.turn === 'facebook') return `**Facebook**: ${STEPS[facebook.step]}`;
  return `${PARTIES[facebook.turn]}: ${facebook.problem ? plain(facebook.problem.message) : STEPS[facebook.step]}`;
}

const STEPS: Record<FacebookProgress['step'], string> = {
  add: 'the number is being added at Meta',
  code: 'the code that Meta sends is entered',
  register: 'the number is being registered at Meta',
  name: 'Meta decides on the name',
  connect: 'Meta connects the number',
};
const PARTIES: Record<FacebookTurn, string> = {
  facebook: '**Facebook**',
  customer: 'the **customer**',
  support: '**support**',
  operator: 'an **operator**',
};

function atMeta({ step, turn, since, codeMethod, problem }: FacebookProgress): string[] {
  const sent = step === 'code' && codeMethod ? ` (code sent by ${codeMethod})` : '';
  const lines = [`- At Meta: ${STEPS[step]}${sent}; ${PARTIES[turn]} has to act, since ${time(since)}`];
  if (problem) {
    const { message, code, subcode, fbtraceId, until } = problem;
    const facts = [
      code !== null && `code ${code}${subcode === null ? '' : `/${subcode}`}`,
      fbtraceId !== null && `trace ${plain(fbtraceId)}`,
      until !== null && `goes on by itself at ${time(until)}`,
    ].filter((fact) => fact !== false);
    lines.push(`- Problem at Meta: ${[plain(message), ...facts].join('; ')}`);
  }
  return lines;
}

const isHeld = (state: NumberState) =>
  state.status === 'PENDING_VERIFICATION' && state.facebookDecision !== null;

function decided(decision: Decision | null, { status }: NumberState): string {
  if (!decision)
    return isPending(status) ? 'not decided yet' : 'no decision counts: the number was ended before';
  const reason = decision.reason ? `: ${plain(decision.reason)}` : '';
  return `${decision.outcome} by ${who(decision.by)} at ${time(decision.at)}${reason}`;
}

function who({ type, id, name }: Actor): string {
  if (type === 'facebook' && id === null) return 'Meta itself';
  if (type === 'system') return 'the system';
  if (id === null) return `${type} (by hand)`;
  // An id of ours means nothing in Markdown; one that was sent by hand may.
  const known = /^\w+$/.test(id) ? id : plain(id);
  return name === undefined ? `${type} ${known}` : `${plain(name)} (${type} ${known})`;
}

const time = (iso: string | null) => (iso ? `${iso.slice(0, 16).replace('T', ' ')} UTC` : 'never');
/** Text of people, on one line and without meaning in Markdown. */
const plain = (text: string) =>
  text
    .replace(/\s+/g, ' ')
    .replace(/[\\`*_[\]<>#|]/g, '\\$&')
    .slice(0, 500);
