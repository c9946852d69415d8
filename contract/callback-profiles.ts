/** What a callback profile is: where the delivery statuses of an account's messages go. */
import { z } from 'zod';
import { secretView, type TargetFacts, targetStateView, viewTargetState } from './delivery-views.ts';
import { object, targetUrl, text } from './fields.ts';
import { about, page, time } from './views.ts';

/** Statuses of a message that Meta tells of. */
const MESSAGE_STATUSES = ['sent', 'delivered', 'read', 'failed', 'played'] as const;
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];

/** What became of a message. Each message is also `sent`, and few are `played`: both have to be asked for. */
const DEFAULT_STATUSES: MessageStatus[] = ['delivered', 'read', 'failed'];

/** The schemas of one deployment. `http` URLs are for development only. */
export function callbackProfileFields(options: { allowHttp: boolean }) {
  const name = text({
    min: 1,
    max: 100,
    about: { description: 'For people: 1 to 100 characters, on one line.', example: 'Order system' },
  });
  const url = targetUrl({
    ...options,
    description: 'Where the statuses are sent to: a public https address.',
    example: 'https://example.com/statuses',
  }).refine((value) => value !== '', { error: 'Send a URL.' });
  const statuses = z
    .array(z.enum(MESSAGE_STATUSES, { error: `Send statuses out of ${MESSAGE_STATUSES.join(', ')}.` }), {
      error: 'Send a list of statuses.',
    })
    .min(1, 'Send at least one status; to pause, set `active` to false.')
    .refine((given) => new Set(given).size === given.length, { error: 'Name each status once.' })
    .meta({
      description: 'Which statuses are sent.',
      maxItems: MESSAGE_STATUSES.length,
      examples: [DEFAULT_STATUSES],
    });
  const active = z
    .boolean({ error: 'Send true or false.' })
    .meta({ description: 'Whether statuses are sent at all.', examples: [true] });
  return {
    /** Body of a creation. */
    creation: z.strictObject(
      { name, url, statuses: statuses.default(DEFAULT_STATUSES), active: active.default(true) },
      { error: object },
    ),
    /** Body of a change: the fields to change. */
    changes: z.strictObject({ name, url, statuses, active }, { error: object }).partial(),
  };
}

type Fields = ReturnType<typeof callbackProfileFields>;
export type NewCallbackProfile = z.output<Fields['creation']>;
export type CallbackProfileChanges = z.output<Fields['changes']>;

export const callbackProfileView = z
  .object({
    id: z
      .string()
      .meta({ description: 'What numbers name it by.', examples: ['cbp_019ab2c4f0c97d8e8f3b5d6a7c8e9f01'] }),
    name: z.string().meta(about('What people call it.', 'Order system')),
    url: z.string().meta(about('Where the statuses are sent to.', 'https://example.com/statuses')),
    statuses: z.array(z.enum(MESSAGE_STATUSES)).describe('Which statuses are sent.'),
    active: z.boolean().describe('Whether statuses are sent at all.'),
    target: targetStateView.describe('How the URL does.'),
    createdAt: time.describe('When it was made.'),
    updatedAt: time.describe('When it last changed.'),
  })
  .meta({ id: 'CallbackProfile', description: 'Where the delivery statuses of messages are sent to.' });
export const newCallbackProfileView = callbackProfileView
  .extend({ secret: secretView.shape.secret })
  .meta({ id: 'NewCallbackProfile', description: 'A new callback profile, with its secret.' });
type CallbackProfileView = z.output<typeof callbackProfileView>;

export const callbackProfilePage = page(
  callbackProfileView,
  'CallbackProfilePage',
  'Callback profiles, newest first.',
);

export function viewCallbackProfile(
  profile: Omit<CallbackProfileView, 'target' | 'createdAt' | 'updatedAt'> & {
    createdAt: Date;
    updatedAt: Date;
  },
  target: TargetFacts | null,
): CallbackProfileView {
  const { id, name, url, statuses, active, createdAt, updatedAt } = profile;
  return {
    id,
    name,
    url,
    statuses,
    active,
    target: viewTargetState(target),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}
