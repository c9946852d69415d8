import type { NumberView } from '../../contract/views.ts';
import type { Credentials } from '../credentials.ts';
import { ask, until } from './waiting.ts';

export interface Message {
  ID: string;
  Subject: string;
  Text: string;
}

/** The embedded inbox; with a mail server of one's own there is nothing to show. */
export function inbox({ mailUrl }: Credentials) {
  /** Oldest first. */
  async function about(number: NumberView): Promise<Message[]> {
    if (!mailUrl) return [];
    const { messages } = await ask<{ messages: (Message & { MessageID: string })[] }>(
      `${mailUrl}/api/v1/messages?limit=200`,
    );
    const own = messages.filter((message) => message.MessageID.includes(number.id)).reverse();
    return Promise.all(own.map(({ ID }) => ask<Message>(`${mailUrl}/api/v1/message/${ID}`)));
  }

  /** Waits for an email whose subject fits. Null without an inbox. */
  async function find(number: NumberView, subject: RegExp): Promise<Message | null> {
    if (!mailUrl) return null;
    return until(`An email about ${number.mobileNumber} (${subject.source})`, async () =>
      (await about(number)).find((message) => subject.test(message.Subject)),
    );
  }
  return { about, find };
}
