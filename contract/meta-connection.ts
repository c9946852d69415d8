/** An account's own WhatsApp Business Account at Meta: connecting it, and what is told of it. */
import { z } from 'zod';
import { CONNECTION_STATES, type ConnectionState } from './facebook.ts';
import { object, orRequired } from './fields.ts';
import { about, time } from './views.ts';

/** Body of a connection. */
export const metaConnectionBody = z.strictObject(
  {
    wabaId: z
      .string({ error: orRequired('Send the id of the WhatsApp Business Account.') })
      .regex(/^[1-9]\d{4,31}$/, 'Send the digits that WhatsApp Manager shows as the account id.')
      .meta(about("Meta's id of the WhatsApp Business Account.", '102290129340398')),
    accessToken: z
      .string({ error: orRequired('Send an access token.') })
      .regex(/^[\x21-\x7e]{10,1000}$/, 'Send the access token as Meta shows it, without spaces.')
      .meta({
        description:
          'A token of a system user for our app, with whatsapp_business_management and whatsapp_business_messaging. It is kept encrypted and never answered.',
        examples: ['EAAexampleOfAnAccessToken'],
        writeOnly: true,
      }),
  },
  { error: object },
);

const SERVED_BY = ['account', 'service', 'support'] as const;

const problem = z
  .object({
    message: z
      .string()
      .meta(about('What is wrong and what to do, for people.', 'Meta does not take the token any more.')),
    code: z.number().nullable().meta(about("Meta's error code; null where there is none.", 190)),
    fbtraceId: z
      .string()
      .nullable()
      .meta(about("By this Meta's support finds the call; null where there is none.", 'AbCdEfGh')),
  })
  .describe('Why no call is made with the token.');

export const metaConnectionView = z
  .object({
    servedBy: z
      .enum(SERVED_BY)
      .meta(
        about(
          'Where numbers are added: to the WhatsApp Business Account of the `account`, to that of the `service`, or by hand, by `support`.',
          'account',
        ),
      ),
    wabaId: z
      .string()
      .nullable()
      .meta(
        about(
          "Meta's id of your WhatsApp Business Account; null where none is connected.",
          '102290129340398',
        ),
      ),
    name: z
      .string()
      .nullable()
      .meta(about('What Meta calls it; null where it is not known.', 'Widgets Inc.')),
    state: z
      .enum(CONNECTION_STATES)
      .nullable()
      .meta(
        about(
          'Whether calls are made with the token: not when Meta has refused it or a permission is missing. Null where none is connected.',
          'active',
        ),
      ),
    problem: problem.nullable(),
    checkedAt: time.nullable().describe('When it was last checked at Meta; null where none is connected.'),
  })
  .meta({
    id: 'MetaConnection',
    description:
      'The WhatsApp Business Account that numbers of an account are added to. Its token is never told.',
  });
type MetaConnectionView = z.output<typeof metaConnectionView>;

interface Connection {
  wabaId: string;
  name: string | null;
  state: ConnectionState;
  problem: { message: string; code: number | null; fbtraceId: string | null } | null;
  checkedAt: Date | null;
}

/** `otherwise`: by whom an account is served that has connected none. */
export function viewMetaConnection(
  connection: Connection | null,
  otherwise: 'service' | 'support',
): MetaConnectionView {
  if (!connection) {
    return { servedBy: otherwise, wabaId: null, name: null, state: null, problem: null, checkedAt: null };
  }
  const { wabaId, name, state, problem, checkedAt } = connection;
  const told = problem && { message: problem.message, code: problem.code, fbtraceId: problem.fbtraceId };
  return {
    servedBy: 'account',
    wabaId,
    name,
    state,
    problem: told,
    checkedAt: checkedAt?.toISOString() ?? null,
  };
}
