/** What is read of Meta's answers. Loose: it adds fields and words as it likes, and a field may be missing. */
import { z } from 'zod';

const word = z.string().optional().catch(undefined);
/** A limit comes as a word, an integer or a numeric string. */
const limit = z.union([z.string(), z.number()]).optional().catch(undefined);

export const createdAnswer = z.looseObject({ id: z.string().regex(/^\d+$/) });
export const successAnswer = z.looseObject({ success: z.literal(true) });

export const tokenAnswer = z.looseObject({
  data: z.looseObject({
    is_valid: z.boolean().catch(false),
    app_id: z.union([z.string(), z.number().transform(String)]).optional(),
    scopes: z.array(z.string()).catch([]),
    granular_scopes: z
      .array(z.looseObject({ scope: z.string(), target_ids: z.array(z.string()).optional() }))
      .catch([]),
  }),
});

export const accountAnswer = z.looseObject({ id: z.string(), name: word });

export const nodeAnswer = z.looseObject({
  id: z.string().regex(/^\d+$/),
  display_phone_number: word,
  verified_name: word,
  quality_rating: word,
  code_verification_status: word,
  name_status: word,
  new_display_name: word,
  new_name_status: word,
  status: word,
  whatsapp_business_manager_messaging_limit: limit,
  messaging_limit_tier: limit,
  platform_type: word,
});
/** A phone number as Meta shows it. */
export type Node = z.output<typeof nodeAnswer>;

export const nodesAnswer = z.looseObject({
  data: z.array(nodeAnswer),
  paging: z
    .looseObject({ next: word, cursors: z.looseObject({ after: word }).optional() })
    .optional()
    .catch(undefined),
});

export const profileAnswer = z.looseObject({
  data: z
    .array(
      z.looseObject({
        about: word,
        address: word,
        description: word,
        email: word,
        websites: z.array(z.string()).optional().catch(undefined),
        vertical: word,
        profile_picture_url: word,
      }),
    )
    .default([]),
});
export type ShownProfile = NonNullable<z.output<typeof profileAnswer>['data'][number]>;

export const sessionAnswer = z.looseObject({
  // It goes into an address as it stands.
  id: z.string().regex(/^upload:[\w\-.~:=%+]+(\?sig=[\w\-.~=%]+)?$/),
});
export const offsetAnswer = z.looseObject({ file_offset: z.coerce.number().int().min(0) });
export const handleAnswer = z.looseObject({ h: z.string().min(1) });
