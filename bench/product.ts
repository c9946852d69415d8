/** Drives the product over HTTP, as customers and support do: with keys, and an Idempotency-Key on each write. */
import { randomUUID } from 'node:crypto';
import { Pool } from 'undici';
import { workflowId } from '../contract/messages.ts';
import type { NumberView } from '../contract/views.ts';
import type { Credentials } from '../dev/credentials.ts';
import type { Contender } from './contender.ts';

const REQUEST_DEADLINE_MS = 30_000;
const TRIES = 5;

export function productContender(credentials: Credentials, clients: number): Contender {
  const pool = new Pool(credentials.apiUrl, { connections: clients, headersTimeout: REQUEST_DEADLINE_MS });
  const customer = credentials.customer.apiKey;
  const support = credentials.support.apiKey;
  let repeated = 0;

  async function call<T>(
    key: string,
    method: 'GET' | 'POST' | 'PATCH',
    path: string,
    body?: object,
  ): Promise<T> {
    const headers = {
      authorization: `Bearer ${key}`,
      ...(body && { 'content-type': 'application/json', 'idempotency-key': randomUUID() }),
    };
    for (let tries = 1; ; tries++) {
      const answer = await pool.request({ method, path, headers, body: body ? JSON.stringify(body) : null });
      if (answer.statusCode < 300) return (await answer.body.json()) as T;
      const problem = await answer.body.text();
      // Too slow, not wrong: the same key carries on the same operation.
      if (answer.statusCode !== 503 || tries === TRIES) {
        throw new Error(`${method} ${path} answered ${answer.statusCode}: ${problem}`);
      }
      repeated += 1;
    }
  }

  return {
    async live(n) {
      const { id, mobileNumber } = await call<NumberView>(customer, 'POST', '/v1/numbers', {
        mobileNumber: `+1${2_120_000_000 + n}`,
        displayName: `Shop ${n}`,
        address: '1 Long Street, Springfield',
        businessDescription: 'Sells what people need',
        businessCategory: 'RETAIL',
        contactEmail: 'shop@example.com',
      });
      const approved = { outcome: 'approved' };
      await call(support, 'POST', `/v1/numbers/${id}/verification`, approved);
      await call(support, 'POST', `/v1/numbers/${id}/facebook-decision`, approved);
      await call(customer, 'PATCH', `/v1/numbers/${id}`, { website: `https://${n}.example` });
      return { id, workflowId: workflowId({ id, mobileNumber, attempt: 1 }) };
    },
    async unfinished(ids) {
      const left = new Set(ids);
      let cursor: string | null = null;
      do {
        const query: string = `limit=100${cursor === null ? '' : `&cursor=${cursor}`}`;
        const page: { items: NumberView[]; nextCursor: string | null } = await call(
          customer,
          'GET',
          `/v1/numbers?${query}`,
        );
        for (const { id, status, revision, website } of page.items) {
          if (status === 'APPROVED' && revision === 4 && website !== null) left.delete(id);
        }
        cursor = left.size > 0 ? page.nextCursor : null;
      } while (cursor !== null);
      return [...left];
    },
    repeated: () => repeated,
    close: () => pool.close(),
  };
}
