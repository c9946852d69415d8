/**
 * Works off a change that Meta told of by webhook and that is stored: tells the workflows of the numbers that it is about,
 * or the people who have to know. Can be repeated. What throws is to be tried again: Temporal or PostgreSQL is away.
 */
import type { Logger } from '../activities/deps.ts';
import type { Config } from '../contract/config.ts';
import type { FacebookNews } from '../contract/facebook.ts';
import { isLive } from '../contract/number.ts';
import { lastFour } from '../contract/phone.ts';
import type { Change } from '../db/changes.ts';
import type { Database } from '../db/client.ts';
import type { MetaConnectionRow } from '../db/meta-connections.ts';
import { connectionOfWaba, numbersWithOtherLimit, numberWithDigits, readSoon } from '../db/meta-news.ts';
import { writeNotice } from '../db/meta-notices.ts';
import { isRegisteredLately } from '../db/meta-registrations.ts';
import type { NumberRow } from '../db/number-row.ts';
import { findNumber } from '../db/started.ts';
import { type NumberWorkflows, WorkflowClosed } from '../temporal/numbers.ts';
import { hearersOf } from './connections.ts';
import { meaningOfChange, type Notice } from './told.ts';

/** What of a change counts here. The number is looked for anew: it may have been added since the change arrived. */
export type StoredChange = Pick<Change, 'id' | 'wabaId' | 'field' | 'at' | 'receivedAt' | 'value'>;

export interface WorkOffDeps {
  db: Database;
  workflows: Pick<NumberWorkflows, 'hear'>;
  config: Config;
  logger: Logger;
}

/** Numbers of an account that are told at once, and of a page of them. */
const AT_ONCE = 8;
const PAGE = 200;

export async function workOff(deps: WorkOffDeps, change: StoredChange): Promise<void> {
  const { db } = deps;
  const connection = await connectionOfWaba(db, change.wabaId);
  if (!connection) return;
  const { news, shared, notice, read } = meaningOfChange(change.field, change.value);
  const digits = digitsOf(change.value);
  // Both have to belong to the same connection.
  const number = digits === '' ? null : await numberWithDigits(db, connection.id, digits);
  const origin = { operationId: `meta:${change.id}`, source: 'webhook' as const, at: timeOf(change) };
  if (number && news && Object.keys(news).length > 0) await hear(deps, number, { ...origin, ...news });
  if (shared) await hearAll(deps, connection, { ...origin, limit: shared });
  if (notice) await tellPeople(deps, { connection, number, change }, notice);
  if (read === 'account') await readSoon(db, { connectionId: connection.id });
  if (read === 'number' && number) await readSoon(db, { numberId: number.id });
}

/** A number that has ended hears nothing any more. */
async function hear({ db, workflows }: WorkOffDeps, row: NumberRow, news: FacebookNews): Promise<void> {
  if (!isLive(row.status)) return;
  try {
    await workflows.hear(row, news);
  } catch (error) {
    if (!(error instanceof WorkflowClosed)) throw error;
    const now = await findNumber(db, row.id);
    if (now && isLive(now.status) && now.attempt === row.attempt) throw error;
  }
}

/** Those that know it already are left out, so that a repeat goes on where the try before has stopped. */
async function hearAll(
  deps: WorkOffDeps,
  connection: MetaConnectionRow,
  news: FacebookNews & Required<Pick<FacebookNews, 'limit'>>,
): Promise<void> {
  const wanted = { ...news.limit, at: news.at };
  for (let after = ''; ; ) {
    const rows = await numbersWithOtherLimit(deps.db, connection.id, wanted, { after, size: PAGE });
    for (let first = 0; first < rows.length; first += AT_ONCE) {
      await Promise.all(rows.slice(first, first + AT_ONCE).map((row) => hear(deps, row, news)));
    }
    const last = rows.at(-1);
    if (!last || rows.length < PAGE) return;
    after = last.id;
  }
}

async function tellPeople(
  { db, config, logger }: WorkOffDeps,
  about: { connection: MetaConnectionRow; number: NumberRow | null; change: StoredChange },
  { heading, details, advice }: Notice,
): Promise<void> {
  const { connection, number, change } = about;
  // Registering sets the PIN: that was us.
  const isOurs =
    change.field === 'security' && number && (await isRegisteredLately(db, number.mobileNumber, change.at));
  if (isOurs) return;
  const source = `meta-notice.${change.id}`;
  const data = {
    heading,
    details,
    advice,
    number: number && lastFour(number.mobileNumber),
    at: timeOf(change),
  };
  const told = await db.transaction((tx) =>
    writeNotice(tx, connection, { source, kind: 'meta-notice', data }, hearersOf(config)),
  );
  const { id: connectionId, accountId } = connection;
  logger.warn({ connectionId, accountId, field: change.field, eventId: change.id, told }, heading);
}

/** Meta tells whole seconds: as late in it as it can have been, or it would seem older than what was asked in that second. */
function timeOf({ at, receivedAt }: StoredChange): string {
  return new Date(Math.min(at.getTime() + 999, receivedAt.getTime())).toISOString();
}

function digitsOf(value: unknown): string {
  const { display_phone_number: digits } = (value ?? {}) as Record<string, unknown>;
  return typeof digits === 'string' || typeof digits === 'number' ? String(digits).replaceAll(/\D/g, '') : '';
}
