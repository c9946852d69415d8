/**
 * A worker that is about to die: sends one lane, and stops for ever between the server's 250 and the record of
 * it. Its parent kills it then. Arguments: database URL, SMTP URL, lane.
 */
import { createEmailActivities } from '../../activities/emails.ts';
import { openWorker } from './fixtures.ts';

const [url, smtpUrl, lane] = process.argv.slice(2);
if (!url || !smtpUrl || !lane) throw new Error('Arguments: database URL, SMTP URL, lane.');
const { deps } = openWorker({ url }, smtpUrl);

const mailer: typeof deps.mailer = {
  ...deps.mailer,
  async send(mail) {
    const result = await deps.mailer.send(mail);
    process.stdout.write(`${result.outcome}\n`);
    return new Promise(() => {});
  },
};
await createEmailActivities({ ...deps, mailer }).sendEmails({ lane });
