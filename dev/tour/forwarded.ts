/** What arrives at the sample endpoint of a customer. */
import { Fault } from '../fault.ts';
import { say } from './telling.ts';
import { ask, until } from './waiting.ts';

interface Receipt {
  webhookId: string;
  type: string;
  verified: boolean;
  reason: string | null;
  body: string;
}

export function endpointOf(endpointUrl: string) {
  return {
    incomingUrl: `${endpointUrl}/incoming`,
    statusesUrl: `${endpointUrl}/statuses`,

    /** Has signatures of what comes to a path checked. */
    know: (path: string, secret: string) =>
      ask(`${endpointUrl}/control/secret`, 'PUT', { path, secrets: [secret] }),

    /** Waits for an event of the number, and shows it. Its signature has to be right. */
    async expectEvent(path: string, type: string, numberId: string): Promise<void> {
      const receipt = await until(`${type} at ${path}`, async () => {
        const { items } = await ask<{ items: Receipt[] }>(
          `${endpointUrl}/received?path=${path}&type=${type}`,
        );
        return items.findLast(({ body }) => body.includes(numberId));
      });
      if (!receipt.verified) throw new Fault(`The signature of ${type} is not right: ${receipt.reason}`);
      say(`${receipt.webhookId}  ${type}  signature verified by standardwebhooks`);
    },
  };
}
