/** Tokens of decision links: they name a row and cannot be made, or meant for another, without our key. */
import { createHmac } from 'node:crypto';
import type { Stage } from '../contract/number.ts';
import { isSame, type Keys } from './secrets.ts';

/** All that a link is bound to. */
interface DecisionBinding {
  id: string;
  numberId: string;
  attempt: number;
  stage: Stage;
  personId: string;
  expiresAt: Date;
}

export interface DecisionTokens {
  tokenOf(link: DecisionBinding): string;
  /** The id of the link that a token claims to be of. */
  idOf(token: string): string;
  /** Whether the token was made for exactly this link. */
  fits(token: string, link: DecisionBinding): boolean;
}

/** With the first key tokens are made, with the others they are known still. */
export function createDecisionTokens(keys: Keys): DecisionTokens {
  function macOf(
    { id, numberId, attempt, stage, personId, expiresAt }: DecisionBinding,
    key: Buffer,
  ): Buffer {
    const bound = JSON.stringify([id, numberId, attempt, stage, personId, expiresAt.toISOString()]);
    return createHmac('sha256', key).update(bound).digest();
  }
  return {
    tokenOf: (link) => `${link.id}.${macOf(link, keys[0]).toString('base64url')}`,
    idOf: (token) => token.split('.')[0] ?? '',
    fits(token, link) {
      const mac = Buffer.from(token.split('.')[1] ?? '', 'base64url');
      return keys.some((key) => isSame(mac, macOf(link, key)));
    },
  };
}
