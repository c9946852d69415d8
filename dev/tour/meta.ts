/** What the tour makes the simulator of Meta do, and reads there. */
import type { NumberView } from '../../contract/views.ts';
import { ask, until } from './waiting.ts';

interface NumberAtMeta {
  code: { value: string } | null;
  status: string;
  registered: boolean;
  profile: { address?: string; websites?: string[]; description?: string; picture?: string };
}

export function metaOf(metaUrl: string, { mobileNumber }: NumberView) {
  const number = `${metaUrl}/control/numbers/${mobileNumber.replace('+', '')}`;
  const read = () => ask<NumberAtMeta>(number);
  const act = (what: string, body: unknown) => ask(`${number}/${what}`, 'POST', body);
  return {
    /** The code that a real number would get by SMS. */
    code: () => until('A code', async () => (await read()).code?.value),
    read,
    approveName: () => act('name', { decision: 'APPROVED' }),
    changeQuality: (event: 'FLAGGED' | 'UNFLAGGED') => act('quality', { event }),
    changeLimit: (limit: string) => act('limit', { limit, shape: 'current' }),
    sendMessage: (text: string) => act('messages', { type: 'text', text }),
    sendStatus: (status: string) => act('statuses', { status }),
  };
}

/** Whether webhooks get lost from now on. */
export function loseWebhooks(metaUrl: string, lose: boolean): Promise<unknown> {
  return ask(`${metaUrl}/control/delivery`, 'POST', { lose });
}
