import { sql } from 'drizzle-orm';
import { decrypt } from '../auth/secrets.ts';
import type { CodeMethod, StepResult } from '../contract/facebook.ts';
import { laterProofOfAnother, wasLetGoOn } from '../db/meta-codes.ts';
import { changeMetaNumber, type MetaNumberRow, settleCode } from '../db/meta-numbers.ts';
import { type AtMeta, inStep, isRefusal } from './at-meta.ts';
import type { MetaDeps } from './deps.ts';
import { GraphError } from './graph-error.ts';
import { ownProblem } from './meanings.ts';
import { type Stopped, stopped } from './outcome.ts';

/** How long a code of Meta's is good. */
const CODE_MS = 10 * 60_000;

/** Of texts and calls: whoever enters the code reads digits only. */
const LANGUAGE = 'en_US';

const PROVEN_BY_ANOTHER =
  'Meta sends no code: the number was verified for another account before. Support checks that it has changed hands, and lets it go on.';

type Requested = StepResult & { needed?: boolean };

/** Has Meta send a code to the number. `needed: false`: it is verified already, and nothing was sent. */
export async function requestCode(
  deps: MetaDeps,
  { numberId, method }: { numberId: string; method: CodeMethod },
): Promise<Requested> {
  return inStep(deps, numberId, async (at): Promise<Requested> => {
    if (await isVerified(at)) return withoutCode(at);
    try {
      await at.graph.requestCode(at.token, at.id, { method, language: LANGUAGE });
    } catch (error) {
      // The same code for "verified already" and for others.
      if (isRefusal(error, 136024) && (await isVerified(at))) return withoutCode(at);
      throw error;
    }
    await changeMetaNumber(at.db, numberId, { code: null, codeSentAt: sql`now()` });
    return { done: true, needed: true };
  });
}

/** What one account has proven at Meta says nothing of the next one that submits the number: support lets it go on. */
async function withoutCode({ db, number, meta }: AtMeta): Promise<Requested> {
  const proof = await laterProofOfAnother(db, number.accountId, meta);
  if (proof && !(await wasLetGoOn(db, number.id, { message: PROVEN_BY_ANOTHER, since: proof }))) {
    return stopped('support', ownProblem(PROVEN_BY_ANOTHER));
  }
  if (proof || !meta.verifiedAt) await changeMetaNumber(db, number.id, { verifiedAt: sql`now()` });
  return { done: true, needed: false };
}

type Outcome = NonNullable<MetaNumberRow['codeOutcome']>;

/** Asks Meta about the code that was entered last, which is deleted then. */
export async function verifyCode(
  deps: MetaDeps,
  { numberId }: { numberId: string },
): Promise<{ outcome: Outcome } | Stopped> {
  return inStep(deps, numberId, async (at) => {
    const { meta } = at;
    if (meta.code === null) {
      if (meta.codeOutcome) return { outcome: meta.codeOutcome };
      return stopped('customer', ownProblem('No code was entered. Enter the code that Meta sent.'));
    }
    const outcome = await outcomeOf(at, meta.code);
    await settleCode(at.db, meta, outcome);
    return { outcome };
  });
}

async function outcomeOf(at: AtMeta, encrypted: string): Promise<Outcome> {
  if (await isVerified(at)) return 'right';
  const code = at.secrets && (await decrypt(at.secrets, encrypted));
  if (!code) {
    at.logger.error(
      { numberId: at.number.id },
      'Neither AUTH_SECRET nor a fallback fits a code; it has to be sent anew',
    );
    return 'expired';
  }
  try {
    await at.graph.verifyCode(at.token, at.id, code.text);
    return 'right';
  } catch (error) {
    if (!(error instanceof GraphError) || !isRefusal(error, 100, 131009, 136025)) throw error;
    return isExpired(error, at.meta.codeSentAt) ? 'expired' : 'wrong';
  }
}

/** Meta has one code for both, and words that may name both. */
function isExpired({ details }: GraphError, sentAt: Date | null): boolean {
  const isSaid = /expired/i.test(details) && !/wrong|incorrect|invalid|match/i.test(details);
  return isSaid || (sentAt !== null && Date.now() - sentAt.getTime() > CODE_MS);
}

async function isVerified({ graph, token, id }: AtMeta): Promise<boolean> {
  const node = await graph.readNumber(token, id);
  return node.code_verification_status === 'VERIFIED';
}
