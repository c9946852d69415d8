/** Switching a target off, with the timeline events and emails that tell of it. */
import { and, eq, isNull, sql } from 'drizzle-orm';
import type { OffReason } from '../contract/deliveries.ts';
import type { TargetOffData } from '../contract/emails.ts';
import { newId } from '../contract/ids.ts';
import type { Database, Transaction } from './client.ts';
import { writeEmail } from './email-rows.ts';
import { adminAddresses } from './members.ts';
import {
  callbackProfiles,
  emails,
  isLiveSql,
  numberEvents,
  numbers,
  organizations,
  targets,
} from './schema.ts';
import type { TargetRow } from './targets.ts';

export interface SwitchOff {
  id: string;
  reason: OffReason;
  at: Date;
  /** Since when it has failed. */
  since: Date;
  /** Where it was sent to. In the email only its origin: paths and queries may hold secrets. */
  url: string;
  mailDomain: string;
}

const urlOf = sql`
  select ${numbers.incomingUrl} from ${numbers} where ${numbers.id} = ${targets.id}
  union all select ${callbackProfiles.url} from ${callbackProfiles} where ${callbackProfiles.id} = ${targets.id}`;

/** Switches a target off. False where it was off already, or has another URL meanwhile. The emails are left to the Schedule `email-leftovers`. */
export async function switchOff(db: Database, off: SwitchOff): Promise<boolean> {
  return db.transaction(async (tx) => {
    const [target] = await tx
      .update(targets)
      .set({ offAt: off.at, offReason: off.reason })
      .where(and(eq(targets.id, off.id), isNull(targets.offAt), sql`${off.url} in (${urlOf})`))
      .returning();
    if (!target) return false;
    await (target.kind === 'incoming' ? tellOfIncoming(tx, target, off) : tellOfCallback(tx, target, off));
    return true;
  });
}

async function tellOfIncoming(tx: Transaction, target: TargetRow, off: SwitchOff): Promise<void> {
  const [number] = await tx.select().from(numbers).where(eq(numbers.id, target.id));
  if (!number) return;
  const { id: numberId, attempt, mobileNumber, displayName } = number;
  await tx.insert(numberEvents).values(event({ numberId, attempt }, target, off));
  await tx.insert(emails).values({
    id: newId('eml'),
    lane: numberId,
    numberId,
    attempt,
    kind: 'target-off',
    messageId: `${numberId}.${attempt}.target-off.${off.at.getTime()}@${off.mailDomain}`,
    data: {
      ...emailData(off),
      what: 'incoming',
      reference: numberId,
      mobileNumber,
      name: displayName,
    } satisfies TargetOffData,
  });
}

/** Each live number that names the profile has it in its timeline; whoever can mend it is written to once. */
async function tellOfCallback(tx: Transaction, target: TargetRow, off: SwitchOff): Promise<void> {
  const [profile] = await tx.select().from(callbackProfiles).where(eq(callbackProfiles.id, target.id));
  const [account] = await tx.select().from(organizations).where(eq(organizations.id, target.accountId));
  const users = await tx
    .select({ numberId: numbers.id, attempt: numbers.attempt })
    .from(numbers)
    .where(and(eq(numbers.callbackProfileId, target.id), isLiveSql));
  if (users.length > 0) {
    await tx.insert(numberEvents).values(users.map((number) => event(number, target, off)));
  }
  if (!profile || !account) return;
  const addresses = new Set([...account.notificationEmails, ...(await adminAddresses(tx, account.id))]);
  for (const address of addresses) {
    await writeEmail(tx, {
      lane: address,
      kind: 'target-off',
      recipient: address,
      accountId: account.id,
      data: {
        ...emailData(off),
        what: 'callback',
        reference: profile.id,
        mobileNumber: null,
        name: profile.name,
      },
      mailDomain: off.mailDomain,
    });
  }
}

const emailData = ({ reason, since, url }: SwitchOff) => ({
  reason,
  since: since.toISOString(),
  origin: URL.parse(url)?.origin ?? url,
});

function event(
  { numberId, attempt }: { numberId: string; attempt: number },
  { id, kind }: TargetRow,
  { at, reason, since }: SwitchOff,
) {
  return {
    id: newId('evt'),
    numberId,
    attempt,
    revision: null,
    type: 'target.off' as const,
    at,
    actor: { type: 'system' as const, id: null },
    data: {
      target: kind,
      reason,
      since: since.toISOString(),
      ...(kind === 'callback' && { callbackProfileId: id }),
    },
    operationId: newId('op'),
  };
}
