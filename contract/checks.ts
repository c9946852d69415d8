/** What a check of a submission answers, before anything is sent. */
import { z } from 'zod';
import { about } from './views.ts';
import { warningView } from './warnings.ts';

export const faultView = z
  .object({
    pointer: z
      .string()
      .meta(
        about(
          'A JSON pointer into the body, or the name of a query parameter or header; "" is the whole body.',
          '/displayName',
        ),
      ),
    code: z.string().meta(about('What kind of fault, as a word.', 'invalid')),
    detail: z.string().meta(about('What to do.', 'Must have at least 2 characters.')),
  })
  .meta({ id: 'Fault', description: 'One thing at fault in a request.' });

export const submissionCheck = z
  .object({
    errors: z.array(faultView).describe('What a submission would be refused for; empty where nothing is.'),
    warnings: z.array(warningView).describe('What may hold up its approval.'),
  })
  .meta({ id: 'SubmissionCheck', description: 'What was found in a submission that was not sent.' });
