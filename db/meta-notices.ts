/** Emails about a WhatsApp Business Account: to our own people, and to the account's admins where it is theirs. */
import { createHash } from 'node:crypto';
import type { MetaNoticeData, MetaTroubleData } from '../contract/emails.ts';
import { newId } from '../contract/ids.ts';
import { findAccount } from './accounts.ts';
import type { Transaction } from './client.ts';
import { adminAddresses } from './members.ts';
import type { Hearers, MetaConnectionRow } from './meta-connections.ts';
import { emails } from './schema.ts';

type OfConnection = 'connectionId' | 'wabaId' | 'accountName' | 'toStaff';
type Notice =
  | { kind: 'meta-notice'; data: Omit<MetaNoticeData, OfConnection> }
  | { kind: 'meta-trouble'; data: Omit<MetaTroubleData, OfConnection> };

/** Tells it once of each `source`. Returns how many are told. */
export async function writeNotice(
  tx: Transaction,
  { id: connectionId, accountId, wabaId }: MetaConnectionRow,
  { source, kind, data }: Notice & { source: string },
  { staffLane, mailDomain }: Hearers,
): Promise<number> {
  const account = accountId === null ? null : await findAccount(tx, accountId);
  const admins = accountId === null ? [] : await adminAddresses(tx, accountId);
  const to = [
    ...(staffLane ? [{ lane: staffLane, recipient: null, toStaff: true, name: 'staff' }] : []),
    ...admins.map((address) => ({
      lane: address,
      recipient: address,
      toStaff: false,
      name: hashOf(address),
    })),
  ];
  if (to.length === 0) return 0;
  await tx
    .insert(emails)
    .values(
      to.map(({ lane, recipient, toStaff, name }) => ({
        id: newId('eml'),
        lane,
        recipient,
        accountId,
        kind,
        messageId: `${source}.${name}@${mailDomain}`,
        data: { connectionId, wabaId, accountName: account?.name ?? null, ...data, toStaff },
      })),
    )
    .onConflictDoNothing({ target: emails.messageId });
  return to.length;
}

/** A Message-ID tells nobody an address. */
function hashOf(address: string): string {
  return createHash('sha256').update(address).digest('hex').slice(0, 16);
}
