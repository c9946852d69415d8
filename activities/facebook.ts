import { ApplicationFailure } from '@temporalio/common';
import { ownProblem } from '../meta/meanings.ts';
import { stopped, TryLater } from '../meta/outcome.ts';
import type { MetaSteps } from '../meta/steps.ts';

/** Type of the failure after which a step is to be tried again. */
const TRY_LATER = 'meta_try_later';
/** A longer wait is shown as a problem that ends by itself: people may want to know, and what else is due goes on. */
const SHORT_MS = 5 * 60_000;

/**
 * What is done at Meta for a number. Each can be repeated. Somebody's turn is a result, and so is a long wait for another
 * registration; other trouble that passes fails the activity with `meta_try_later`, and says when to try again where Meta told it.
 */
export function createFacebookActivities({ meta }: { meta: MetaSteps }) {
  const { addNumber, requestCode, verifyCode, register, pushProfile, readNumber, deregister } = meta;
  return {
    addNumber: (input: Input<typeof addNumber>) => retried(addNumber(input)),
    requestCode: (input: Input<typeof requestCode>) => retried(requestCode(input)),
    verifyCode: (input: Input<typeof verifyCode>) => retried(verifyCode(input)),
    register: (input: Input<typeof register>) => retried(register(input).catch(waitLong)),
    pushProfile: (input: Input<typeof pushProfile>) => retried(pushProfile(input)),
    readNumber: (input: Input<typeof readNumber>) => retried(readNumber(input)),
    deregister: (input: Input<typeof deregister>) => retried(deregister(input)),
  };
}

type Input<F extends (input: never) => unknown> = Parameters<F>[0];

/** Meta takes few registrations of a number: the pauses between them grow to half a day. */
function waitLong(error: unknown) {
  if (!(error instanceof TryLater) || (error.retryAfterMs ?? 0) <= SHORT_MS) throw error;
  const words = `Meta has not registered the number, and is asked again later: ${error.message}`;
  return stopped('facebook', ownProblem(words, new Date(Date.now() + (error.retryAfterMs ?? 0))));
}

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
