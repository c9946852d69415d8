/** Support's verification, and Facebook's decision as support records it. */
import { decisionBody } from '../../contract/fields.ts';
import { numberView } from '../../contract/views.ts';
import { answers, GUARDED, WRITES } from '../answers.ts';
import { staffOf } from '../auth.ts';
import type { Routes } from '../context.ts';
import { decide } from '../decide.ts';
import { give, keyedRequest, throughWorkflow, writeHeaders } from '../idempotency.ts';
import { findFor, numberParams } from '../numbers.ts';

const STAGE_ROUTES = [
  {
    stage: 'verification',
    path: '/v1/numbers/:id/verification',
    operationId: 'verifyNumber',
    summary: "Decide on a number's details",
    description:
      'The first decision of a stage stands. Some business categories need two supporters to approve: the first ' +
      'approval answers 200 with the status unchanged, and `approvals` with it; a rejection rejects at once.',
    codes: ['second_approval_needed'],
  },
  {
    stage: 'facebook',
    path: '/v1/numbers/:id/facebook-decision',
    operationId: 'recordFacebookDecision',
    summary: "Record Facebook's decision",
    description: 'Before support has approved it is kept, and takes effect with that approval.',
    codes: [],
  },
] as const;

export const decisionRoutes: Routes = async (app, { api }) => {
  for (const { stage, path, codes, ...about } of STAGE_ROUTES) {
    app.post(
      path,
      {
        config: { access: ['support'] },
        schema: {
          ...about,
          tags: ['Review'],
          params: numberParams,
          headers: writeHeaders,
          body: decisionBody,
          response: answers({ 200: numberView }, [
            ...GUARDED,
            ...WRITES,
            'own_account',
            'not_found',
            'not_pending',
            'already_decided',
            'claimed',
            'stale_attempt',
            ...codes,
          ]),
        },
      },
      async (request, reply) => {
        const caller = staffOf(request);
        const found = await findFor(api, caller, request.params.id);
        const answer = await throughWorkflow(api.db, keyedRequest(request), (operation) =>
          decide(api, caller, stage, found, request.body, operation),
        );
        return give(reply, answer);
      },
    );
  }
};
