/** Checking a submission before it is sent. */
import { submissionCheck } from '../../contract/checks.ts';
import type { Submission } from '../../contract/fields.ts';
import { submissionWarnings } from '../../contract/warnings.ts';
import { findLive } from '../../db/read.ts';
import { targetProblem } from '../../targets/target-url.ts';
import { answers, GUARDED } from '../answers.ts';
import { customerOf } from '../auth.ts';
import type { ApiContext, Routes } from '../context.ts';
import type { Fault } from '../problems.ts';
import { referenceFaults } from '../references.ts';
import { bodyFaults } from '../validation.ts';

export const checkRoutes: Routes = async (app, { api }) => {
  const { submission } = api.fields;

  app.post(
    '/v1/numbers/check',
    {
      config: { access: ['customer'], scope: 'read' },
      schema: {
        summary: 'Check a submission',
        description:
          'Takes what a submission takes, also incomplete or wrong, and says what it would be refused for. Stores nothing, and tells nothing of other accounts: whether they hold the number is known when it is submitted.',
        operationId: 'checkNumber',
        tags: ['Numbers'],
        body: submission.partial(),
        response: answers({ 200: submissionCheck }, [
          ...GUARDED,
          'cross_origin',
          'too_large',
          'unsupported_media_type',
        ]),
      },
      // The faults of the body are the answer.
      validatorCompiler: () => (value) => ({ value }),
    },
    async (request) => {
      const body: unknown = request.body;
      const given = rightFields(api, body);
      const errors = [
        ...bodyFaults(submission, body),
        ...(await faultsBeyondForm(api, customerOf(request).accountId, given)),
      ];
      return { errors, warnings: submissionWarnings(given) };
    },
  );
};

/** Those fields of the body that are of their form. */
function rightFields({ fields }: ApiContext, body: unknown): Partial<Submission> {
  const given = typeof body === 'object' && body !== null ? new Map(Object.entries(body)) : new Map();
  return Object.fromEntries(
    Object.entries(fields.submission.shape).flatMap(([field, schema]) => {
      const parsed = schema.safeParse(given.get(field));
      return parsed.success ? [[field, parsed.data]] : [];
    }),
  );
}

/** What only DNS and the database know. */
async function faultsBeyondForm(
  api: ApiContext,
  accountId: string,
  { mobileNumber, incomingUrl, ...named }: Partial<Submission>,
): Promise<Fault[]> {
  const faults = await referenceFaults(api.db, accountId, named);
  const unsafe = incomingUrl ? await targetProblem(incomingUrl, api.urls) : null;
  if (unsafe !== null) faults.push({ pointer: '/incomingUrl', code: 'unsafe_target', detail: unsafe });
  const live = mobileNumber === undefined ? null : await findLive(api.db, accountId, mobileNumber);
  if (live) {
    const detail = `Your account has it already, as ${live.id}, which is ${live.status}.`;
    faults.push({ pointer: '/mobileNumber', code: 'number_taken', detail });
  }
  return faults;
}
