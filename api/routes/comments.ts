/** Comments: of customers and support to each other, of staff among themselves, and questions to the customer. */
import type { FastifyBaseLogger } from 'fastify';
import { type CommentBody, commentBody } from '../../contract/fields.ts';
import { isPending } from '../../contract/number.ts';
import { eventView, viewEvent } from '../../contract/views.ts';
import { COMMENT_EMAILS_PER_ACCOUNT, commentEvent, writeComment } from '../../db/comments.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { type EventRow, findEvent, isInTimeline, type NumberOfAccount } from '../../db/read.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { type Caller, callerOf, viewerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import { judgeStage, notPending } from '../decisions.ts';
import {
  type Answer,
  give,
  keyedRequest,
  type Operation,
  throughWorkflow,
  writeHeaders,
} from '../idempotency.ts';
import { sendSoon } from '../mail.ts';
import { findFor, lookAgain, numberParams, unlessClosed, untilDone } from '../numbers.ts';
import { invalidField, ProblemError } from '../problems.ts';
import { dueWithTimeLeft, timeLeft } from '../stage-time.ts';

export const commentRoutes: Routes = async (app, { api }) => {
  app.post(
    '/v1/numbers/:id/comments',
    {
      config: { access: ['customer', 'support', 'operator'] },
      schema: {
        summary: 'Comment on a number',
        description:
          "In every status. Support's comments are emailed to the customer, unless internal; operators' are " +
          "internal. A customer's are emailed to support, one per number and hour until support has " +
          `answered, and at most ${COMMENT_EMAILS_PER_ACCOUNT} an hour of all numbers of an account; the timelines have the rest. ` +
          'With `awaitReply` support asks the customer: turn and due time are theirs until their next ' +
          'comment, which answers the question, or a decision. One question at a time: a second one while the first ' +
          'is open is refused (`already_exists`).',
        operationId: 'commentOnNumber',
        tags: ['Review'],
        params: numberParams,
        headers: writeHeaders,
        body: commentBody,
        response: answers({ 201: eventView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'not_pending',
          'already_decided',
          'already_exists',
        ]),
      },
    },
    async (request, reply) => {
      const caller = callerOf(request);
      const { body } = request;
      checkRole(caller, body);
      const found = await findFor(api, caller, request.params.id);
      const answer = await throughWorkflow(api.db, keyedRequest(request), (operation) =>
        comment({ api, caller, body, operation, log: request.log }, found),
      );
      return give(reply, answer);
    },
  );
};

function checkRole({ kind }: Caller, { internal = false, awaitReply = false }: CommentBody): void {
  if (kind === 'customer' && internal) {
    throw invalidField('/internal', 'staff_only', 'Only staff comment internally; leave it out.');
  }
  if (kind !== 'support' && awaitReply) {
    throw invalidField('/awaitReply', 'support_only', 'Only support asks the customer; leave it out.');
  }
  if (kind === 'operator' && !internal) {
    throw invalidField('/internal', 'internal_only', 'Operators comment internally only; send true.');
  }
}

interface Commenting {
  api: ApiContext;
  caller: Caller;
  body: CommentBody;
  operation: Operation;
  log: FastifyBaseLogger;
}

async function comment(commenting: Commenting, before: NumberOfAccount): Promise<Answer> {
  const { api, caller, operation } = commenting;
  const { done, found } = await lookAgain(api, caller, before, operation);
  const { row } = found;
  const sent = !done && (await tellWorkflow(commenting, row));
  // What was not sent cannot be in the timeline, unless by a former try.
  const told = sent || operation.resumed ? await findEvent(api.db, row.id, operation.operationId) : null;
  return told ? created(told, caller) : write(commenting, found);
}

/** Sends a question, or an answer, to the workflow. Returns whether it was one. */
async function tellWorkflow(commenting: Commenting, row: NumberRow): Promise<boolean> {
  if (commenting.caller.kind === 'customer') return answerQuestion(commenting, row);
  if (commenting.body.awaitReply !== true) return false;
  await ask(commenting, row);
  return true;
}

/** Asks the customer, and waits until that is in the timeline: by then it may be answered already. */
async function ask({ api, caller, body, operation }: Commenting, row: NumberRow): Promise<void> {
  const { operationId } = operation;
  if (!isPending(row.status)) throw notPending(row, 'staff');
  const seen = await operation.seen({ attempt: row.attempt, stage: row.status });
  // A repeat is for the stage that the first try saw: refused where that has ended.
  judgeStage(row, seen, 'staff');
  // Two that are asked at the same moment may both pass: the workflow has the later one take the place of the earlier.
  if (row.question && row.question.operationId !== operationId) {
    const detail =
      'The customer has not answered the open question yet. Wait for that, or comment without awaitReply.';
    throw new ProblemError('already_exists', { detail });
  }
  const now = new Date();
  const hours = body.dueHours ?? api.config.REPLY_DUE_HOURS;
  const question = {
    ...seen,
    operationId,
    by: caller.actor,
    text: body.text,
    fields: body.fields ?? [],
    dueAt: new Date(now.getTime() + hours * 3_600_000).toISOString(),
    remainingMs: timeLeft(row, now, api.acceptance.workingTime),
  };
  await unlessClosed(api.workflows.ask(row, question));
  await untilDone(api, row, async (changed) =>
    (await isInTimeline(api.db, row.id, operationId)) ? 'done' : judgeStage(changed, seen, 'staff'),
  );
}

/** Answers the question that the first try saw, and waits until it is not open any more. Returns whether it still was. */
async function answerQuestion(
  { api, caller, body, operation }: Commenting,
  row: NumberRow,
): Promise<boolean> {
  const question = await operation.seen(row.question?.operationId ?? null);
  const isOpen = (number: NumberRow) => number.question?.operationId === question;
  if (question === null || !isOpen(row)) return false;
  const answer = {
    operationId: operation.operationId,
    attempt: row.attempt,
    question,
    by: caller.actor,
    text: body.text,
    dueAt: dueWithTimeLeft(row, new Date(), api.acceptance.workingTime),
  };
  await unlessClosed(api.workflows.answer(row, answer));
  await untilDone(api, row, (changed) => (isOpen(changed) ? 'open' : 'done'));
  return true;
}

/** Writes a plain comment, with the answer to the request, unless another try of it has done so. */
async function write(commenting: Commenting, number: NumberOfAccount): Promise<Answer> {
  const { api, caller, body, operation, log } = commenting;
  const { internal = false, text } = body;
  const type = internal ? 'comment.internal' : 'comment';
  const event = commentEvent(number.row, {
    type,
    by: caller.actor,
    text,
    operationId: operation.operationId,
  });
  const mine = created(event, caller);
  const options = { mailDomain: api.acceptance.mailDomain, emailTo: readerOf(commenting) };
  const { answer, lane } = await api.db.transaction(async (tx) => {
    const answer = await operation.settle(tx, mine);
    return { answer, lane: answer === mine ? await writeComment(tx, number, event, options) : null };
  });
  if (lane !== null) sendSoon(api, lane, log);
  return answer;
}

/** Who is emailed. Support only where it has an address. */
function readerOf({ api, caller, body }: Commenting): 'customer' | 'support' | null {
  if (caller.kind === 'customer') return api.config.SUPPORT_EMAIL?.length ? 'support' : null;
  return body.internal ? null : 'customer';
}

function created(event: Omit<EventRow, 'seq'>, caller: Caller): Answer {
  return { status: 201, headers: {}, body: viewEvent(event, viewerOf(caller)) };
}
