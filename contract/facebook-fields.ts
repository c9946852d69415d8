/** What is sent about a number's way at Meta. */
import { z } from 'zod';
import { CODE_METHODS } from './facebook.ts';
import { object, orRequired } from './fields.ts';
import { about } from './views.ts';

/** Six digits; spaces and dashes between them, as messages show them, are left out. */
const digits = (error: string) =>
  z
    .string({ error: orRequired(error) })
    .max(32, error)
    .transform((text) => text.replace(/[\s-]/g, ''))
    .pipe(z.string().regex(/^\d{6}$/, error));

export const verificationCode = z.strictObject(
  {
    code: digits('Send the code of six digits that Meta sent.').meta(
      about('The code that Meta sent.', '123456'),
    ),
  },
  { error: object },
);

export const codeResend = z.strictObject(
  {
    method: z
      .enum(CODE_METHODS, { error: orRequired('Send "SMS" or "VOICE".') })
      .meta(about('How Meta sends it: a text message or a call.', 'SMS')),
  },
  { error: object },
);

export const facebookResumption = z.strictObject(
  {
    pin: digits('Send the PIN of six digits.')
      .meta(
        about(
          'The PIN of two-step verification that is set for the number, where `facebook.problem` has code 133005. It is kept encrypted.',
          '123456',
        ),
      )
      .optional(),
  },
  { error: object },
);
