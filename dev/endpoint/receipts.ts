/** What arrived at the sample endpoint, and whether it was signed by a secret that is known for its path. */
import { Webhook } from 'standardwebhooks';

const KEPT = 500;
/** In characters; the rest of a body is not kept. */
const MAX_BODY = 65_536;

export interface Receipt {
  /** RFC 3339. */
  at: string;
  path: string;
  /** `webhook-id`: the same at each try. */
  webhookId: string | null;
  /** `type` of the body. */
  type: string | null;
  verified: boolean;
  /** Why it is not verified. */
  reason: string | null;
  /** HTTP; null where nothing was answered. */
  answered: number | null;
  body: string;
}

type Headers = Record<string, string | string[] | undefined>;

export class Receipts {
  /** Secrets by path, each `whsec_…`; several during a rotation. */
  readonly secrets: Record<string, string[]>;
  /** Oldest first. */
  readonly kept: Receipt[] = [];
  /** How many arrived since the start. */
  total = 0;

  constructor(secrets: Record<string, string[]>) {
    this.secrets = secrets;
  }

  /** Throws where one is not a secret. */
  know(path: string, secrets: string[]): void {
    for (const secret of secrets) new Webhook(secret);
    this.secrets[path] = secrets;
  }

  add(path: string, headers: Headers, body: string, answered: number | null): void {
    const reason = this.#fault(path, headers, body);
    const id = headers['webhook-id'];
    this.kept.push({
      at: new Date().toISOString(),
      path,
      webhookId: typeof id === 'string' ? id : null,
      type: typeOf(body),
      verified: reason === null,
      reason,
      answered,
      body: body.slice(0, MAX_BODY),
    });
    this.total += 1;
    if (this.kept.length > KEPT) this.kept.shift();
  }

  /** Null when one of the path's secrets has signed it. */
  #fault(path: string, headers: Headers, body: string): string | null {
    let fault = 'No secret is known for this path';
    for (const secret of this.secrets[path] ?? []) {
      try {
        new Webhook(secret).verify(body, headers as Record<string, string>, { jsonParse: false });
        return null;
      } catch (error) {
        fault = (error as Error).message;
      }
    }
    return fault;
  }
}

function typeOf(body: string): string | null {
  try {
    const { type } = JSON.parse(body) as { type?: unknown };
    return typeof type === 'string' ? type : null;
  } catch {
    return null;
  }
}
