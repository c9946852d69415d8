/**
 * What the product is compared with: the same signals, update, saves and emails in the fewest lines, in the
 * cheapest form Temporal has for them. No validation, no search attributes, no idempotency, no story.
 */
import { condition, proxyActivities, proxyLocalActivities, setHandler } from '@temporalio/workflow';
import { editNumber, facebookApproval, supportVerification } from '../../contract/messages.ts';
import type { NumberState } from '../../contract/number.ts';
import type { SkeletonActivities } from './activities.ts';

// Local, as the product's: that a regular activity costs more is not what is measured here.
const { save } = proxyLocalActivities<Pick<SkeletonActivities, 'save'>>({
  startToCloseTimeout: '20 seconds',
});
const { sendEmail } = proxyActivities<Pick<SkeletonActivities, 'sendEmail'>>({
  startToCloseTimeout: '60 seconds',
});

export async function skeleton(input: { id: string; state: NumberState }): Promise<void> {
  const { id } = input;
  let { state } = input;
  const enter = (changes: Partial<NumberState>) => {
    state = { ...state, ...changes, revision: state.revision + 1 };
    return save({ id, state });
  };
  let verified = false;
  let approved = false;
  setHandler(supportVerification, () => {
    verified = true;
  });
  setHandler(facebookApproval, () => {
    approved = true;
  });
  setHandler(editNumber, async ({ changes }) => {
    await enter({ profile: { ...state.profile, ...changes } });
    return state;
  });

  // In order, and no gate waits for them: as in the product.
  let emails = Promise.resolve();
  const tell = (kind: string) => {
    emails = emails.then(() => sendEmail({ id, kind }));
  };

  await save({ id, state });
  tell('submitted');
  await condition(() => verified);
  await enter({ status: 'PENDING_FACEBOOK_APPROVAL' });
  tell('verified');
  await condition(() => approved);
  await enter({ status: 'APPROVED' });
  tell('approved');
  await emails;
  await condition(() => false);
}
