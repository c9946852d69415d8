/**
 * What is done at Meta for a number, step by step. Each can be repeated after a crash at any point: it reads before it
 * writes. Inputs and results hold no secret. Trouble that passes is thrown as TryLater; any other is in the result.
 */
import { addNumber } from './add.ts';
import { requestCode, verifyCode } from './code.ts';
import type { MetaDeps } from './deps.ts';
import { pushProfile } from './profile.ts';
import { readNumber } from './read.ts';
import { deregister, register } from './register.ts';

type Rest<F> = F extends (deps: MetaDeps, input: infer I) => infer R ? (input: I) => R : never;

export function createMetaSteps(deps: MetaDeps) {
  const bound = <F extends (deps: MetaDeps, input: never) => Promise<unknown>>(step: F) =>
    ((input: never) => step(deps, input)) as Rest<F>;
  return {
    addNumber: bound(addNumber),
    requestCode: bound(requestCode),
    verifyCode: bound(verifyCode),
    register: bound(register),
    pushProfile: bound(pushProfile),
    deregister: bound(deregister),
    readNumber: bound(readNumber),
  };
}

export type MetaSteps = ReturnType<typeof createMetaSteps>;
