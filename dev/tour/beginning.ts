/** From the submission to Facebook's gate. */
import { randomInt } from 'node:crypto';
import sharp from 'sharp';
import { type Client, ProblemError } from '../../client/index.ts';
import type { NumberView } from '../../contract/views.ts';
import { Fault } from '../fault.ts';
import { endpointOf } from './forwarded.ts';
import type { Tour } from './main.ts';
import { expectStatus, say, show, step } from './telling.ts';

/** A number that support has verified. Where there is a sample endpoint, it is told of messages and statuses. */
export async function submitted(
  { customer, support, mail }: Tour,
  endpointUrl: string | null,
): Promise<NumberView> {
  step('A customer submits a number, with a logo and with an address that is not theirs.');
  const image = await customer.images.upload(await logo());
  let number = await submit(customer, {
    imageId: image.id,
    ...(endpointUrl !== null && (await targets(customer, endpointUrl))),
  });
  const { id } = number;
  show(number);
  if (endpointUrl !== null) {
    const { secret } = await customer.numbers.drawIncomingSecret(id);
    await endpointOf(endpointUrl).know('/incoming', secret);
  }

  step('Support looks at it, and rejects it with a reason.');
  number = await support.reviews.verify(id, {
    outcome: 'rejected',
    reason: 'The address belongs to another company.',
    fields: ['address'],
  });
  expectStatus(number, 'REJECTED');
  show(number);

  step('The submitter reads why.');
  const rejection = await mail.find(number, /not approved|rejected/i);
  if (rejection) {
    if (!rejection.Text.includes('The address belongs to another company.')) {
      throw new Fault('The email about the rejection does not hold the reason.');
    }
    say(`${rejection.Subject}\n\n${rejection.Text.trim()}`);
  }

  step('The customer corrects the address and submits it again.');
  number = await customer.numbers.resubmit(id, { address: 'Via Roma 1, Milano' });
  expectStatus(number, 'PENDING_VERIFICATION');
  show(number);

  step("Support verifies it: now it is Facebook's turn.");
  number = await support.reviews.verify(id, { outcome: 'approved' });
  expectStatus(number, 'PENDING_FACEBOOK_APPROVAL');
  show(number);
  return number;
}

async function logo(): Promise<Blob> {
  const plain = { width: 640, height: 640, channels: 3, background: '#1a7f5a' } as const;
  const png = await sharp({ create: plain }).png().toBuffer();
  return new Blob([new Uint8Array(png)], { type: 'image/png' });
}

async function targets({ callbackProfiles }: Client, endpointUrl: string) {
  const { incomingUrl, statusesUrl, know } = endpointOf(endpointUrl);
  const profile = await callbackProfiles.create({ name: 'Sample endpoint', url: statusesUrl });
  await know('/statuses', profile.secret);
  return { incomingUrl, callbackProfileId: profile.id };
}

/** Submits a number that nobody has; draws another one where it is taken. */
async function submit(
  { numbers }: Client,
  rest: { imageId: string; incomingUrl?: string; callbackProfileId?: string },
): Promise<NumberView> {
  for (let tries = 0; ; tries++) {
    try {
      return await numbers.submit({
        displayName: 'Widgets number',
        mobileNumber: `+1 415 ${randomInt(200, 1000)} ${String(randomInt(0, 10_000)).padStart(4, '0')}`,
        businessCategory: 'RETAIL',
        address: 'Somewhere else 7',
        ...rest,
      });
    } catch (error) {
      if (tries === 5 || !(error instanceof ProblemError) || error.code !== 'number_taken') throw error;
    }
  }
}
