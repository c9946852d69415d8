/** What must be true of numbers once everything runs again, whatever happened before. */
import { isDeepStrictEqual } from 'node:util';
import type { Client } from '@temporalio/client';
import { expect } from 'vitest';
import { getNumber, workflowId } from '../../contract/messages.ts';
import { isLive } from '../../contract/number.ts';
import type { Database } from '../../db/client.ts';
import { stateOf } from '../../db/number-row.ts';
import { readEmails, readEvents, readNumber } from '../support/accepted.ts';
import type { TestSmtp } from '../support/smtp.ts';

export interface Parts {
  db: Database;
  client: Client;
  smtp: TestSmtp;
}

/**
 * Within a minute: a live number's workflow runs and knows what the row says, an ended one has completed, the
 * timeline has every revision once, and every email went out in order, as one `Message-ID`.
 */
export async function expectWhole(parts: Parts, ids: string[]): Promise<void> {
  await expect
    .poll(async () => (await Promise.all(ids.map((id) => faultsOf(parts, id)))).flat(), {
      timeout: 60_000,
      interval: 250,
    })
    .toEqual([]);
}

async function faultsOf(parts: Parts, id: string): Promise<string[]> {
  try {
    return [...(await faultsOfWorkflow(parts, id)), ...(await faultsOfEmails(parts, id))].map(
      (fault) => `${id}: ${fault}`,
    );
  } catch (error) {
    return [`${id}: ${String(error)}`];
  }
}

async function faultsOfWorkflow({ db, client }: Parts, id: string): Promise<string[]> {
  const row = await readNumber(db, id);
  const state = stateOf(row);
  const faults: string[] = [];
  const revisions = (await readEvents(db, id)).flatMap((event) => event.revision ?? []);
  if (revisions.length !== state.revision || revisions.some((revision, index) => revision !== index + 1)) {
    faults.push(`at revision ${state.revision} with the events ${revisions}`);
  }
  const handle = client.workflow.getHandle(workflowId(row));
  const { status } = await handle.describe();
  const expected = isLive(row.status) ? 'RUNNING' : 'COMPLETED';
  if (status.name !== expected) faults.push(`${row.status}, and its workflow is ${status.name}`);
  const { unsaved, numberId, accountId, mobileNumber, ...known } = await handle.query(getNumber);
  if (unsaved > 0) faults.push(`${unsaved} unsaved`);
  if (!isDeepStrictEqual(known, state)) {
    faults.push(`row ${JSON.stringify(state)} and workflow ${JSON.stringify(known)}`);
  }
  return faults;
}

async function faultsOfEmails({ db, smtp }: Parts, id: string): Promise<string[]> {
  const rows = await readEmails(db, id);
  const faults = rows.filter((row) => row.state !== 'sent').map((row) => `${row.kind} is ${row.state}`);
  const sent = [...new Set(messageIdsOf(smtp, id))];
  const written = rows.map((row) => row.messageId);
  if (faults.length === 0 && !isDeepStrictEqual(sent, written)) faults.push(`sent ${sent}, not ${written}`);
  return faults;
}

/** The `Message-ID`s of a number's mails in the order they were taken; a mail that came twice is there twice. */
export function messageIdsOf(smtp: TestSmtp, id: string): string[] {
  return smtp.mails
    .flatMap(({ parsed }) => parsed.messageId?.slice(1, -1) ?? [])
    .filter((one) => one.startsWith(id));
}
