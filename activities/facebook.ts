import { ApplicationFailure } from '@temporalio/common';
import { TryLater } from '../meta/outcome.ts';
import type { MetaSteps } from '../meta/steps.ts';

/** Type of the failure after which a step is to be tried again. */
const TRY_LATER = 'meta_try_later';

/**
 * What is done at Meta for a number. Each can be repeated. Somebody's turn is a result; trouble that passes fails the
 * activity with `meta_try_later`, and says when to try again where Meta told it.
 */
export function createFacebookActivities({ meta }: { meta: MetaSteps }) {
  const { addNumber, requestCode, verifyCode, register, pushProfile, readNumber, deregister } = meta;
  return {
    addNumber: (input: Input<typeof addNumber>) => retried(addNumber(input)),
    requestCode: (input: Input<typeof requestCode>) => retried(requestCode(input)),
    verifyCode: (input: Input<typeof verifyCode>) => retried(verifyCode(input)),
    register: (input: Input<typeof register>) => retried(register(input)),
    pushProfile: (input: Input<typeof pushProfile>) => retried(pushProfile(input)),
    readNumber: (input: Input<typeof readNumber>) => retried(readNumber(input)),
    deregister: (input: Input<typeof deregister>) => retried(deregister(input)),
  };
}

type Input<F extends (input: never) => unknown> = Parameters<F>[0];

async function retried<T>(step: Promise<T>): Promise<T> {
  try {
    return await step;
  } catch (error) {
    if (!(error instanceof TryLater)) throw error;
    throw ApplicationFailure.create({
      message: error.message,
      type: TRY_LATER,
      ...(error.retryAfterMs !== null && { nextRetryDelay: error.retryAfterMs }),
    });
  }
}
