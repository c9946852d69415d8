/** Emails of what Meta tells about a WhatsApp Business Account. */
import type { MetaNoticeData } from '../contract/emails.ts';
import { newId } from '../contract/ids.ts';
import { findAccount } from './accounts.ts';
import type { Database } from './client.ts';
import { adminAddresses } from './members.ts';
import type { Hearers, MetaConnectionRow } from './meta-connections.ts';
import { emails } from './schema.ts';

type What = Pick<MetaNoticeData, 'heading' | 'details' | 'advice' | 'number' | 'at'>;

/** Tells our own people, and the account's admins where it is theirs, once of each `source`. Returns how many are told. */
export async function writeNotice(
  db: Database,
  { id: connectionId, accountId, wabaId }: MetaConnectionRow,
  { source, ...what }: What & { source: string },
  { staffLane, mailDomain }: Hearers,
): Promise<number> {
  return db.transaction(async (tx) => {
    const account = accountId === null ? null : await findAccount(tx, accountId);
    const admins = accountId === null ? [] : await adminAddresses(tx, accountId);
    const data = { connectionId, wabaId, accountName: account?.name ?? null, ...what };
    const to = [
      ...(staffLane ? [{ lane: staffLane, recipient: null, toStaff: true }] : []),
      ...admins.map((address) => ({ lane: address, recipient: address, toStaff: false })),
    ];
    if (to.length === 0) return 0;
    await tx
      .insert(emails)
      .values(
        to.map(({ lane, recipient, toStaff }, index) => ({
          id: newId('eml'),
          lane,
          recipient,
          accountId,
          kind: 'meta-notice' as const,
          messageId: `${source}.${recipient === null ? 'staff' : index}@${mailDomain}`,
          data: { ...data, toStaff },
        })),
      )
      .onConflictDoNothing({ target: emails.messageId });
    return to.length;
  });
}
