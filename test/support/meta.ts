/** Numbers at a simulated Meta, for tests of what is done there: real HTTP, a real database. */
import { eq } from 'drizzle-orm';
import { encrypt, secretsOf } from '../../auth/secrets.ts';
import { type Config, loadConfig } from '../../contract/config.ts';
import type { Database } from '../../db/client.ts';
import { keepConnection, type MetaConnectionRow } from '../../db/meta-connections.ts';
import { changeMetaNumber, type MetaNumberRow } from '../../db/meta-numbers.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { metaConnections, metaNumbers } from '../../db/schema.ts';
import { OUR_ACCOUNT, STACK_ACCOUNTS, STACK_APP } from '../../dev/meta/accounts.ts';
import type { CallRecord } from '../../dev/meta/simulation.ts';
import { type MetaSimulator, startMetaSimulator } from '../../dev/meta/simulator.ts';
import type { PhoneNumber } from '../../dev/meta/state.ts';
import { hashOf, keepOurConnection } from '../../meta/connections.ts';
import { type MetaDeps, openMeta } from '../../meta/deps.ts';
import { createMetaSteps, type MetaSteps } from '../../meta/steps.ts';
import { createTestDatabase } from './database.ts';
import { AUTH_SECRET } from './stack.ts';

export const [, THEIR_ACCOUNT = OUR_ACCOUNT] = STACK_ACCOUNTS;

/** The settings of a product that is connected to the simulator. */
export function metaEnv({ url }: Pick<MetaSimulator, 'url'>): Record<string, string> {
  return {
    META_GRAPH_URL: url,
    META_APP_ID: STACK_APP.appId,
    META_APP_SECRETS: STACK_APP.appSecret,
    META_VERIFY_TOKEN: STACK_APP.verifyToken,
    META_WABA_ID: OUR_ACCOUNT.wabaId,
    META_ACCESS_TOKEN: OUR_ACCOUNT.token,
  };
}

export interface TestMeta {
  db: Database;
  url: string;
  config: Config;
  simulator: MetaSimulator;
  deps: MetaDeps;
  steps: MetaSteps;
  /** What was logged, as it would be written. */
  lines: string[];
  close(): Promise<void>;
}

export async function startTestMeta(env: Record<string, string> = {}): Promise<TestMeta> {
  const simulator = await startMetaSimulator({ port: 0, ...STACK_APP, accounts: STACK_ACCOUNTS });
  const { db, url, drop } = await createTestDatabase();
  const config = loadConfig({
    NODE_ENV: 'test',
    DATABASE_URL: url,
    AUTH_SECRET,
    SUPPORT_EMAIL: 'support@numbers.example',
    ...metaEnv(simulator),
    ...env,
  });
  const lines: string[] = [];
  const log = (details: object, message: string) => void lines.push(JSON.stringify({ ...details, message }));
  const deps = openMeta({ db, config, logger: { info: log, warn: log, error: log } });
  await keepOurConnection(deps);
  const close = async () => {
    await simulator.close();
    await drop();
  };
  return { db, url, config, simulator, deps, steps: createMetaSteps(deps), lines, close };
}

/** Connects an account's own WhatsApp Business Account, without asking Meta. */
export async function connect(
  { db, config }: TestMeta,
  accountId: string,
  { wabaId, token } = THEIR_ACCOUNT,
): Promise<MetaConnectionRow> {
  const encrypted = await encrypt(secretsOf(config), token);
  const connected = { wabaId, name: null, token: encrypted, tokenHash: hashOf(token) };
  const kept = await db.transaction((tx) => keepConnection(tx, accountId, connected, new Date()));
  if (typeof kept === 'string') throw new Error(kept);
  return kept;
}

export async function readConnection(db: Database, id: string): Promise<MetaConnectionRow> {
  const [row] = await db.select().from(metaConnections).where(eq(metaConnections.id, id));
  if (!row) throw new Error(`no connection ${id}`);
  return row;
}

export async function readMeta(db: Database, numberId: string): Promise<MetaNumberRow> {
  const [row] = await db.select().from(metaNumbers).where(eq(metaNumbers.numberId, numberId));
  if (!row) throw new Error(`no number ${numberId} at Meta`);
  return row;
}

/** As Meta has it. */
export function theirs({ simulator }: TestMeta, { mobileNumber }: NumberRow): PhoneNumber {
  const number = simulator.simulation.state.numbers.find(({ digits }) => `+${digits}` === mobileNumber);
  if (!number) throw new Error(`Meta has no number ${mobileNumber}`);
  return number;
}

/** Calls that the simulator got, by the end of their path. */
export function callsTo({ simulator }: TestMeta, method: string, end: string): CallRecord[] {
  return simulator.simulation.calls.filter((call) => call.method === method && call.path.endsWith(end));
}

/** As the API keeps a code that a customer enters. */
export async function enterCode({ db, config }: TestMeta, numberId: string, code: string): Promise<void> {
  await changeMetaNumber(db, numberId, {
    code: await encrypt(secretsOf(config), code),
    codeOperationId: `op_${code}`,
    codeOutcome: null,
  });
}

/** Brings a number as far as a right code. */
export async function verifyNumber(meta: TestMeta, number: NumberRow): Promise<void> {
  const numberId = number.id;
  await meta.steps.addNumber({ numberId });
  await meta.steps.requestCode({ numberId, method: 'SMS' });
  await enterCode(meta, numberId, theirs(meta, number).code?.value ?? '');
  await meta.steps.verifyCode({ numberId });
}
