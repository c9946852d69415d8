/** What the matrix calls operations with: an own thing for each path, and a body. */
import type { InjectOptions } from 'fastify';
import { exampleOf } from '../../api/openapi/json.ts';
import { newId } from '../../contract/ids.ts';
import { createApiKey } from '../../db/api-keys.ts';
import { insertOwnEvents } from '../../db/own-events.ts';
import { callbackProfiles, invitations } from '../../db/schema.ts';
import { draw } from '../../images/draw.ts';
import { createImageStore } from '../../images/store.ts';
import { acceptNumber, freshNumber } from '../support/accepted.ts';
import type { OpenApiDocument, Operation } from '../support/openapi.ts';
import { createUser, PASSWORD } from '../support/people.ts';
import { form, png } from '../support/pictures.ts';
import type { TestApi } from './harness.ts';

/** Who calls: `accountId` is their own account, or one that staff look at. */
export interface World {
  api: TestApi;
  accountId: string;
  role: 'customer' | 'support' | 'operator' | null;
  /** Whether the scope `admin` is theirs. */
  isAdmin: boolean;
}

/** Makes something of the account for a path to name, and returns its id. By the path up to what it names. */
const THINGS: Record<string, (world: World) => Promise<string>> = {
  '/v1/numbers/{id}': async ({ api, accountId }) => (await acceptNumber(api.db, accountId)).id,
  '/v1/callback-profiles/{id}': async ({ api, accountId }) => {
    const id = newId('cbp');
    await api.db
      .insert(callbackProfiles)
      .values({ id, accountId, name: 'Orders', url: 'https://example.com', statuses: ['read'] });
    return id;
  },
  '/v1/deliveries/{id}': async ({ api, accountId }) => {
    const { id: numberId } = await acceptNumber(api.db, accountId);
    const event = { numberId, type: 'test', at: new Date(), operationId: newId('op'), data: {} } as const;
    const [id] = await api.db.transaction((tx) => insertOwnEvents(tx, [event]));
    if (id === undefined) throw new Error('There is no delivery of the event.');
    return id;
  },
  '/v1/images/{id}': async ({ api, accountId }) => {
    const by = { type: 'customer', id: null } as const;
    const image = await createImageStore(api.db, api.config).add({ accountId, by }, await draw(await png()));
    if ('fullUntil' in image) throw new Error('The quota of the account is used up.');
    return image.id;
  },
  '/v1/members/{personId}': async ({ api, accountId }) =>
    (await createUser(api.db, 'user', { [accountId]: 'member' })).id,
  '/v1/invitations/{id}': async ({ api, accountId }) => {
    const id = newId('inv');
    await api.db.insert(invitations).values({
      id,
      organizationId: accountId,
      email: `${id}@people.example`,
      role: 'member',
      expiresAt: new Date(Date.now() + 60_000),
      tokenHash: id,
    });
    return id;
  },
  '/v1/api-keys/{id}': async ({ api, accountId, role }) => {
    // Operators see to the keys of staff.
    const owner =
      role === 'customer'
        ? { organizationId: accountId }
        : { personId: (await createUser(api.db, 'support')).id };
    return (await createApiKey(api.db, { ...owner, name: 'Old', scopes: ['read'] })).id;
  },
  '/v1/accounts/{id}': async ({ accountId }) => accountId,
  '/v1/people/{id}': async ({ api }) => (await createUser(api.db, 'support')).id,
  // Nobody's: that they are not valid is told to anybody.
  '/v1/invitations/{token}': async () => 'unknown',
  '/v1/email-verifications/{token}': async () => 'unknown',
  '/v1/password-resets/{token}': async () => 'unknown',
  '/problems/{code}': async () => 'not_found',
};

/** The path of the operation, with a thing that was made for it, and its query. */
export async function pathFor({ operationId, method, path }: Operation, world: World): Promise<string> {
  const query = QUERIES[operationId]?.(world) ?? '';
  const [named, name] = /^.*?\{(\w+)\}/.exec(path) ?? [];
  if (named === undefined) return path + query;
  const make = THINGS[named];
  if (!make) {
    throw new Error(`Add to THINGS how to make ${named}, for ${method} ${path}: test/api/matrix-inputs.ts`);
  }
  return path.replace(`{${name}}`, await make(world)) + query;
}

/** Queries that cannot be left out. */
const QUERIES: Record<string, (world: World) => string> = {
  listInvitations: ({ role, accountId }) => (role === 'operator' ? `?accountId=${accountId}` : ''),
};

type Input = { body?: InjectOptions['payload']; headers?: Record<string, string> };

/** Bodies that cannot be the examples of the schema: they must be new each time, or more than what is required. */
const BODIES: Record<string, (world: World) => Input | Promise<Input>> = {
  submitNumber: () =>
    json({ displayName: 'Widgets', mobileNumber: freshNumber(), businessCategory: 'RETAIL' }),
  verifyNumber: () => json({ outcome: 'approved' }),
  recordFacebookDecision: () => json({ outcome: 'approved' }),
  commentOnNumber: ({ role }) => json({ text: 'Hello.', internal: role === 'operator' }),
  switchAccount: ({ accountId }) => json({ activeAccountId: accountId }),
  setUpTwoFactor: () => json({ password: PASSWORD }),
  removeTwoFactor: () => json({ password: PASSWORD }),
  invite: ({ role, accountId }) =>
    json({ email: `${newId('usr')}@people.example`, ...(role === 'operator' && { accountId }) }),
  uploadImage: async () => form({ content: await png() }),
  createApiKey: async ({ api, role }) =>
    json({ name: 'New', ...(role === 'operator' && { personId: (await createUser(api.db, 'support')).id }) }),
  closeOwnAccount: () => json({ name: 'Widgets Inc.' }),
  addPerson: () => json({ name: 'P', email: `${newId('usr')}@staff.example`, role: 'support' }),
  signUp: () =>
    json({ name: 'P', email: `${newId('usr')}@people.example`, password: PASSWORD, accountName: 'A' }),
};

/** Who may call these, but needs something before that goes well: that they are refused is right, too. */
export const NEEDS_MORE: Record<string, (world: World) => boolean> = {
  // Only members have accounts to choose from.
  switchAccount: ({ role }) => role !== 'customer',
  // Members who are no admins may remove themselves only.
  removeMember: ({ isAdmin }) => !isAdmin,
  // It has to be set up first.
  confirmTwoFactor: () => true,
};

const json = (body: object): Input => ({ body });

/** A body that the operation takes: what its schema requires, from the examples in it. */
export async function bodyFor(
  { operationId, body }: Operation,
  document: OpenApiDocument,
  world: World,
): Promise<Input> {
  const own = BODIES[operationId];
  if (own) return own(world);
  const schema = body?.content['application/json']?.schema;
  if (!schema) return {};
  const required = new Set((schema['required'] ?? []) as string[]);
  const properties = (schema['properties'] ?? {}) as Record<string, Record<string, unknown>>;
  const examples = Object.entries(properties)
    .filter(([name]) => required.has(name))
    .map(([name, property]) => [name, exampleOf(property, document.components['schemas'] ?? {})]);
  return json(Object.fromEntries(examples));
}
