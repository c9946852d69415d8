/**
 * Schemathesis over the whole document, as each kind of caller, against the product with Temporal and a worker: no 5xx
 * but a declared 503, no answer that is not declared, and every answer as its schema and headers say; a call that is
 * signed for is refused without the key, and a method that is not there is told. The seed is fixed; FUZZ_EXAMPLES asks
 * for more cases of each operation (`npm run fuzz`).
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createClient } from '../../client/index.ts';
import { createApiKey, type Scope } from '../../db/api-keys.ts';
import { submission } from '../support/http.ts';
import { type ProductProcess, startApi } from '../support/processes.ts';
import { fuzz } from '../support/schemathesis.ts';
import { createAccount, createStaff, startStack, type TestStack } from '../support/stack.ts';

const EXAMPLES = Number(process.env['FUZZ_EXAMPLES'] ?? 10);
const ALL: Scope[] = ['read', 'write', 'admin'];
const document = new URL('../../openapi.json', import.meta.url).pathname;
/** They end what the others need: called last, by themselves. */
const CLOSING = ['closeOwnAccount', 'closeAccount', 'revokeApiKey'];

let stack: TestStack;
let api: ProductProcess;
let keys: Record<'customer' | 'support' | 'operator', string>;
let numbers: string[];

beforeAll(async () => {
  stack = await startStack({ env: { OPEN_SIGN_UP: 'true' } });
  api = await startApi(stack.env);
  const { id: organizationId } = await createAccount(stack.db, 'Fuzzed Inc.');
  const staffKey = async (role: 'support' | 'operator') => {
    const { id: personId } = await createStaff(stack.db, role);
    return (await createApiKey(stack.db, { personId, name: 'fuzz', scopes: ALL })).key;
  };
  keys = {
    customer: (await createApiKey(stack.db, { organizationId, name: 'fuzz', scopes: ALL })).key,
    support: await staffKey('support'),
    operator: await staffKey('operator'),
  };
  numbers = await makeNumbers();
});
afterAll(async () => {
  await api.stop();
  await stack.close();
});

/** Numbers in each stage of their lives, for the paths that name one. */
async function makeNumbers(): Promise<string[]> {
  const customer = createClient({ baseUrl: api.url, apiKey: keys.customer });
  const { reviews } = createClient({ baseUrl: api.url, apiKey: keys.support });
  const submit = async () => (await customer.numbers.submit(submission())).id;
  const pending = await Promise.all(Array.from({ length: 10 }, submit));
  const [verified = '', approved = '', edited = '', rejected = '', resubmitted = ''] = pending;
  for (const id of [verified, approved, edited]) await reviews.verify(id, { outcome: 'approved' });
  for (const id of [approved, edited]) await reviews.recordFacebookDecision(id, { outcome: 'approved' });
  for (const id of [rejected, resubmitted]) {
    await reviews.verify(id, { outcome: 'rejected', reason: 'Not yours.', fields: ['address'] });
  }
  return pending;
}

const config = () => `
[checks]
# Data that fits the schema may be refused: a number that is taken, a name of somebody else.
positive_data_acceptance.enabled = false

[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", "503"]

[dictionaries.numbers]
values = ${JSON.stringify(numbers)}

[[operations]]
include-path-regex = "^/v1/numbers/.id"
parameters = { "path.id" = { dictionary = "numbers", probability = 0.7 } }

# It takes what is wrong, and answers with what is wrong about it.
[[operations]]
include-operation-id = "checkNumber"
checks.negative_data_rejection.enabled = false

[[operations]]
include-operation-id = "streamChanges"
max-stream-events = 1
request-timeout = 3
`;

it.each(['anonymous', 'customer', 'support', 'operator'] as const)(
  'the document is kept to for %s',
  { timeout: 900_000 },
  async (caller) => {
    const key = caller === 'anonymous' ? null : keys[caller];
    const options = {
      document,
      baseUrl: api.url,
      headers: key === null ? {} : { Authorization: `Bearer ${key}` },
      examples: EXAMPLES,
      config: config(),
    };
    const { passed, report } = await fuzz({ ...options, without: CLOSING });
    expect(passed, report).toBe(true);
    if (key !== null) {
      // Otherwise much of it was refused for that alone.
      const answer = await fetch(`${api.url}/v1/numbers`, { headers: { authorization: `Bearer ${key}` } });
      expect(answer.status, 'The key still works at the end').toBe(200);
    }
    const closing = await fuzz({ ...options, only: CLOSING });
    expect(closing.passed, closing.report).toBe(true);
  },
);
