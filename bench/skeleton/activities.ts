import { createTransport } from 'nodemailer';
import type postgres from 'postgres';
import type { NumberState } from '../../contract/number.ts';

export const SKELETON_TABLE = `create table if not exists skeleton_numbers (
  id text primary key, status text not null, revision integer not null, profile jsonb not null)`;

export function createSkeletonActivities({ sql, smtpUrl }: { sql: postgres.Sql; smtpUrl: string }) {
  const transport = createTransport({ url: smtpUrl, pool: true, maxConnections: 8, maxMessages: Infinity });
  return {
    async save({ id, state }: { id: string; state: NumberState }): Promise<void> {
      const { status, revision, profile } = state;
      await sql`insert into skeleton_numbers (id, status, revision, profile)
        values (${id}, ${status}, ${revision}, ${sql.json({ ...profile })})
        on conflict (id) do update set status = excluded.status, revision = excluded.revision, profile = excluded.profile`;
    },
    async sendEmail({ id, kind }: { id: string; kind: string }): Promise<void> {
      await transport.sendMail({
        from: 'numbers@example.com',
        to: 'customer@example.com',
        subject: `Your number: ${kind}`,
        text: `The number ${id} is ${kind}.`,
      });
    },
  };
}

export type SkeletonActivities = ReturnType<typeof createSkeletonActivities>;
