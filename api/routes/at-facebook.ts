/** What people do for a number's way at Meta: enter the code, ask for another one, let it go on. */
import { encrypt, secretsOf } from '../../auth/secrets.ts';
import { isCodeAwaited, isHeldUp } from '../../contract/facebook.ts';
import { codeResend, facebookResumption, verificationCode } from '../../contract/facebook-fields.ts';
import { isLive } from '../../contract/number.ts';
import { numberView } from '../../contract/views.ts';
import { codeSentAt, dropCode, keepCode, refusedCodes } from '../../db/meta-codes.ts';
import { changeMetaNumber } from '../../db/meta-numbers.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { type EventRow, findEvent, isInTimeline, type NumberOfAccount } from '../../db/read.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { type Caller, type Customer, callerOf, customerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import { notPending } from '../decisions.ts';
import {
  type Answer,
  give,
  keyedRequest,
  type Operation,
  sealed,
  throughWorkflow,
  writeHeaders,
} from '../idempotency.ts';
import { findFor, lookAgain, numberAnswer, numberParams, unlessClosed, untilDone } from '../numbers.ts';
import { invalidField, ProblemError } from '../problems.ts';

/** Wrong codes of a number within an hour; Meta, too, stops listening after some. */
const WRONG_CODES = 5;
const HOUR_MS = 3_600_000;
/** Between two codes: the one before may still be on its way. */
const RESEND_MS = 60_000;

const tags = ['Numbers'];

export const atFacebookRoutes: Routes = async (app, { api }) => {
  app.post(
    '/v1/numbers/:id/verification-code',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'Enter the code that Meta sent',
        description: `While \`nextAction\` is \`enter-code\`. Answers when Meta has judged it. A wrong or expired code is \`invalid_request\` at \`/code\`; after ${WRONG_CODES} within an hour there is a pause.`,
        operationId: 'enterVerificationCode',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: verificationCode,
        response: answers({ 200: numberView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'code_not_awaited',
          'not_pending',
        ]),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const found = await findFor(api, caller, request.params.id);
      const { code } = request.body;
      const keyed = keyedRequest(request, sealed(api.secrets, request.body));
      const answer = await throughWorkflow(api.db, keyed, (operation) =>
        enterCode(api, caller, found, code, operation),
      );
      return give(reply, answer);
    },
  );

  app.post(
    '/v1/numbers/:id/verification-code/resend',
    {
      config: { access: ['customer', 'support'] },
      schema: {
        summary: 'Ask Meta for another code',
        description:
          'While a code is awaited, by text message or by a call; not more often than once a minute. The answer shows that it was asked for; `facebook.turn` is `customer` again when Meta has sent it.',
        operationId: 'resendVerificationCode',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: codeResend,
        response: answers({ 200: numberView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'code_not_awaited',
          'not_pending',
        ]),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const found = await findFor(api, caller, request.params.id);
      const { method } = request.body;
      const answer = await throughWorkflow(api.db, keyedRequest(request), async (operation) => {
        const { done, found: now } = await lookAgain(api, caller, found, operation);
        if (done) return numberAnswer(now, caller);
        await checkResend(api, now.row);
        return resume(api, caller, now, operation, { method });
      });
      return give(reply, answer);
    },
  );

  app.post(
    '/v1/numbers/:id/facebook-resumption',
    {
      config: { access: ['customer', 'support', 'operator'], emptyBody: true },
      schema: {
        summary: 'Let a number go on at Meta',
        description:
          'When what `facebook.problem` tells is put right, or to have a profile sent again that has not reached Meta (`sync`): what is here wins over what Meta shows. An approved number that is not connected is registered anew. A number that was decided on without Meta is brought there.',
        operationId: 'resumeAtFacebook',
        tags,
        params: numberParams,
        headers: writeHeaders,
        body: facebookResumption,
        response: answers({ 200: numberView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'nothing_to_resume',
          'not_pending',
        ]),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const found = await findFor(api, caller, request.params.id);
      const { pin } = request.body;
      const keyed = keyedRequest(request, sealed(api.secrets, request.body));
      const answer = await throughWorkflow(api.db, keyed, async (operation) => {
        const { done, found: now } = await lookAgain(api, caller, found, operation);
        if (done) return numberAnswer(now, caller);
        checkHeldUp(api, now.row, caller);
        // It has another code sent.
        if (now.row.facebook?.step === 'code') await checkResend(api, now.row);
        if (pin !== undefined) await takePin(api, now.row, pin);
        return resume(api, caller, now, operation, {});
      });
      return give(reply, answer);
    },
  );
};

async function enterCode(
  api: ApiContext,
  caller: Customer,
  before: NumberOfAccount,
  code: string,
  operation: Operation,
): Promise<Answer> {
  const { operationId } = operation;
  const { done, found } = await lookAgain(api, caller, before, operation);
  const { row } = found;
  if (!done) {
    checkAwaited(row);
    await checkTries(api, row);
    const encrypted = await encrypt(secretsOf(api.config), code);
    if (!(await keepCode(api.db, row.id, { operationId, code: encrypted }))) {
      throw new ProblemError('code_not_awaited', { fact: 'Another code is being checked.' });
    }
    const attempt = await operation.seen(row.attempt);
    await unlessClosed(api.workflows.enterCode(row, { operationId, attempt, by: caller.actor }));
    await untilDone(api, row, async (now) => {
      if (await isInTimeline(api.db, row.id, operationId)) return 'done';
      checkAwaited(now);
      return 'open';
    });
  }
  const event = await findEvent(api.db, row.id, operationId);
  // Meta has not judged it: the next one need not wait for it.
  if (event?.type === 'facebook.problem') await dropCode(api.db, row.id, operationId);
  return judged(event, await findFor(api, caller, row.id), caller);
}

/** What Meta said of the code, as its event tells. */
function judged(event: EventRow | null, found: NumberOfAccount, caller: Customer): Answer {
  if (event?.type === 'facebook.code_verified') return numberAnswer(found, caller);
  const message = String(event?.data['message'] ?? '');
  if (event?.type !== 'facebook.code_refused') throw new ProblemError('code_not_awaited', { fact: message });
  throw invalidField('/code', 'wrong_code', message);
}

/** Throws where the number waits for no code. */
function checkAwaited(row: NumberRow): void {
  if (!isLive(row.status)) throw notPending(row, 'customer');
  if (isCodeAwaited(row.facebook)) return;
  const { step, turn } = row.facebook ?? {};
  const fact =
    step === 'code' && turn === 'facebook'
      ? 'Meta is being asked to send a code.'
      : `The number is ${row.status}${step === undefined ? '' : `, at the step "${step}"`}.`;
  throw new ProblemError('code_not_awaited', { fact });
}

async function checkTries(api: ApiContext, row: NumberRow): Promise<void> {
  const refused = await refusedCodes(api.db, row.id, 1);
  const oldest = refused[WRONG_CODES - 1];
  if (oldest) throw tooOften(`${WRONG_CODES} codes were wrong within an hour.`, oldest.getTime() + HOUR_MS);
}

async function checkResend(api: ApiContext, row: NumberRow): Promise<void> {
  if (!isLive(row.status)) throw notPending(row, 'customer');
  const { facebook } = row;
  if (facebook?.step !== 'code' || facebook.turn !== 'customer') checkAwaited(row);
  const until = Date.parse(facebook?.problem?.until ?? '');
  if (until > Date.now()) throw tooOften(facebook?.problem?.message ?? '', until);
  const sentAt = await codeSentAt(api.db, row.id);
  const next = (sentAt?.getTime() ?? 0) + RESEND_MS;
  if (next > Date.now()) throw tooOften('A code was sent less than a minute ago.', next);
}

/** `until`: milliseconds since 1970. */
function tooOften(fact: string, until: number): ProblemError {
  const seconds = Math.max(1, Math.ceil((until - Date.now()) / 1000));
  return new ProblemError('rate_limited', { fact, headers: { 'retry-after': String(seconds) } });
}

function checkHeldUp(api: ApiContext, row: NumberRow, caller: Caller): void {
  if (row.status !== 'PENDING_FACEBOOK_APPROVAL' && row.status !== 'APPROVED') {
    throw notPending(row, caller.kind === 'customer' ? 'customer' : 'staff');
  }
  const neverThere = row.facebook === null && row.sync === null && api.config.META_APP_ID !== undefined;
  if (!neverThere && !isHeldUp(row)) throw new ProblemError('nothing_to_resume');
  // Each try may be one of the ten that Meta takes in 72 hours: what goes on by itself, only staff hurry.
  const until = Date.parse((row.facebook?.turn === 'facebook' && row.facebook.problem?.until) || '');
  if (caller.kind === 'customer' && until > Date.now())
    throw tooOften(row.facebook?.problem?.message ?? '', until);
}

/** Meta's code for another PIN than the one that is set. */
const PIN_MISMATCH = 133005;

async function takePin(api: ApiContext, row: NumberRow, pin: string): Promise<void> {
  if (row.facebook?.problem?.code !== PIN_MISMATCH) {
    throw invalidField('/pin', 'pin_not_asked', 'Meta does not ask for a PIN now; leave it out.');
  }
  await changeMetaNumber(api.db, row.id, { pin: await encrypt(secretsOf(api.config), pin) });
}

/** Answers when the workflow has taken it; what comes of it then, the number shows. */
async function resume(
  api: ApiContext,
  caller: Caller,
  { row }: NumberOfAccount,
  operation: Operation,
  wanted: { method?: 'SMS' | 'VOICE' },
): Promise<Answer> {
  const { operationId } = operation;
  const attempt = await operation.seen(row.attempt);
  await unlessClosed(api.workflows.resume(row, { operationId, attempt, by: caller.actor, ...wanted }));
  const done = await untilDone(api, row, async (now) => {
    if (await isInTimeline(api.db, row.id, operationId)) return 'done';
    if (!isLive(now.status)) throw notPending(now, caller.kind === 'customer' ? 'customer' : 'staff');
    return 'open';
  });
  return numberAnswer(done, caller);
}
