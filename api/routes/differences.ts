/** Choosing a side where WhatsApp shows a profile otherwise than it is here. */
import type { Changes, SideBody } from '../../contract/fields.ts';
import { labelOf, sideBody } from '../../contract/fields.ts';
import { numberView } from '../../contract/views.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import { notApproved } from '../decisions.ts';
import { edit } from '../edit.ts';
import { ifMatch } from '../etag.ts';
import { give, keyedRequest, throughWorkflow, writeHeaders } from '../idempotency.ts';
import { findFor, lookAgain, numberAnswer, numberParams } from '../numbers.ts';
import { type Fault, invalidField, ProblemError } from '../problems.ts';

export const differenceRoutes: Routes = async (app, { api }) => {
  app.post(
    '/v1/numbers/:id/sync',
    {
      config: { access: ['customer'] },
      schema: {
        summary: 'Choose what WhatsApp shows',
        description:
          'For fields that WhatsApp shows otherwise than they are here (`sync.differences`), because somebody changed ' +
          'them in WhatsApp Manager. It is an edit: the timeline has it, and it reaches WhatsApp after the answer. What ' +
          'nothing is chosen for stays as it is on both sides. Pictures are not compared.',
        operationId: 'chooseSide',
        tags: ['Numbers'],
        params: numberParams,
        headers: writeHeaders.extend(ifMatch),
        body: sideBody,
        response: answers({ 200: numberView }, [
          ...GUARDED,
          ...WRITES,
          'not_found',
          'not_approved',
          'revision_conflict',
        ]),
      },
    },
    async (request, reply) => {
      const caller = customerOf(request);
      const before = await findFor(api, caller, request.params.id);
      const tag = request.headers['if-match'];
      const answer = await throughWorkflow(api.db, keyedRequest(request), async (operation) => {
        const { done, found } = await lookAgain(api, caller, before, operation);
        if (done) return numberAnswer(found, caller);
        if (found.row.status !== 'APPROVED') throw notApproved(found.row);
        return edit(api, caller, found, chosen(api, found.row, request.body), tag, operation);
      });
      return give(reply, answer);
    },
  );
};

function chosen({ fields: rules }: ApiContext, row: NumberRow, { keep, fields }: SideBody): Changes {
  const differences = row.sync?.differences ?? [];
  const same = fields?.filter((field) => !differences.some((one) => one.field === field)) ?? [];
  if (same.length > 0) {
    const detail = `WhatsApp shows ${same.map(labelOf).join(', ')} as here, as far as is known: leave out ${same.join(', ')}.`;
    throw invalidField('/fields', 'no_difference', detail);
  }
  const wanted = differences.filter(
    ({ field }) => fields === undefined || fields.some((one) => one === field),
  );
  const ours: Record<string, unknown> = { ...row };
  const side = wanted.map(({ field, theirs }) => [field, keep === 'ours' ? ours[field] : theirs]);
  if (keep === 'ours') return Object.fromEntries(side);
  const read = rules.changes.safeParse(Object.fromEntries(side));
  if (read.success) return read.data;
  const errors = read.error.issues.map(
    ({ path, message }): Fault => ({
      pointer: '/fields',
      code: 'not_taken',
      detail: `What WhatsApp shows as ${labelOf(String(path[0]))} is not taken here: ${message} Edit it instead, or keep ours.`,
    }),
  );
  throw new ProblemError('invalid_request', { errors });
}
