/** The way through Meta, and what comes from there: all of it over HTTP with the simulator. */
import { ProblemError } from '../../client/index.ts';
import type { NumberView } from '../../contract/views.ts';
import { Fault } from '../fault.ts';
import { endpointOf } from './forwarded.ts';
import type { Tour } from './main.ts';
import { loseWebhooks, metaOf } from './meta.ts';
import { expectStatus, say, show, step } from './telling.ts';
import { until } from './waiting.ts';

export async function throughMeta(
  tour: Tour,
  verified: NumberView,
  { metaUrl, endpointUrl, webhooksLost }: { metaUrl: string; endpointUrl: string; webhooksLost: boolean },
): Promise<NumberView> {
  const meta = metaOf(metaUrl, verified);
  await loseWebhooks(metaUrl, webhooksLost);
  try {
    await enterCode(tour, verified, meta);
    const approved = await awaitName(tour, verified, meta, webhooksLost);
    await editProfile(tour, approved, meta);
    if (webhooksLost) return await tour.customer.numbers.get(approved.id);
    await changeStanding(tour, approved, meta, endpointUrl);
    await forward(tour, approved, meta, endpointUrl);
    return await tour.customer.numbers.get(approved.id);
  } finally {
    await loseWebhooks(metaUrl, false);
  }
}

type Meta = ReturnType<typeof metaOf>;

/** Waits until the number, as its customer sees it, is so. */
function become({ customer }: Tour, { id }: NumberView, what: string, is: (number: NumberView) => boolean) {
  return until(what, async () => {
    const number = await customer.numbers.get(id);
    return is(number) ? number : null;
  });
}

async function enterCode(tour: Tour, number: NumberView, meta: Meta): Promise<void> {
  const { numbers } = tour.customer;
  step('It is added to the WhatsApp Business Account, and Meta sends a code to it.');
  show(await become(tour, number, 'A code', ({ nextAction }) => nextAction?.type === 'enter-code'));
  const code = await meta.code();

  step('The customer mistypes the code, and is told.');
  const wrong = code === '000000' ? '111111' : '000000';
  const refusal = await numbers.enterCode(number.id, { code: wrong }).then(
    () => null,
    (error: unknown) => error,
  );
  if (!(refusal instanceof ProblemError)) throw new Fault('A wrong code was taken.');
  say(`${refusal.status}: ${refusal.errors[0]?.detail ?? refusal.detail}`);

  step('The right one proves that the number is theirs; it is registered as soon as Meta is ready.');
  await numbers.enterCode(number.id, { code });
  show(await become(tour, number, 'The registration', ({ facebook }) => facebook?.step === 'name'));
}

async function awaitName(
  tour: Tour,
  number: NumberView,
  meta: Meta,
  webhooksLost: boolean,
): Promise<NumberView> {
  step(
    webhooksLost
      ? 'Meta approves the name. Its webhook gets lost; the number is read back.'
      : 'Meta approves the name, and tells so by a webhook.',
  );
  await meta.approveName();
  const approved = await become(tour, number, 'The approval', ({ status }) => status === 'APPROVED');
  expectStatus(approved, 'APPROVED');
  show(approved);
  say(`WhatsApp shows it as ${approved.whatsappName?.name}`);
  await become(tour, number, 'The connection', ({ facebook }) => facebook === null);
  const { status, registered } = await meta.read();
  say(`at Meta: ${status}, ${registered ? 'registered' : 'not registered'}`);
  return approved;
}

async function editProfile(tour: Tour, { id }: NumberView, meta: Meta): Promise<void> {
  step('The customer edits the approved number; that needs no approval, and reaches Meta.');
  const edited = await tour.customer.numbers.edit(id, {
    website: 'https://www.example.com',
    businessDescription: 'Widgets, well made.',
  });
  say(`website ${edited.website}, revision ${edited.revision}, at Meta ${edited.sync?.state}`);
  const synced = await become(tour, edited, 'The profile at Meta', ({ sync }) => sync?.state === 'synced');
  const { profile } = await meta.read();
  if (profile.websites?.[0] !== edited.website) throw new Fault('Meta does not have the website.');
  if (profile.picture === undefined) throw new Fault('Meta does not have the picture.');
  say(`at Meta ${synced.sync?.state}: ${profile.websites.join(', ')}, ${profile.address}, with the picture`);
}

async function changeStanding(
  tour: Tour,
  number: NumberView,
  meta: Meta,
  endpointUrl: string,
): Promise<void> {
  step("Its quality falls and its messaging limit changes: the customer's systems are told, too.");
  const { expectEvent } = endpointOf(endpointUrl);
  await meta.changeLimit('TIER_2K');
  await meta.changeQuality('FLAGGED');
  const changed = await become(
    tour,
    number,
    'The new quality and limit',
    ({ qualityRating, messagingLimit }) => qualityRating === 'FLAGGED' && messagingLimit === 'TIER_2K',
  );
  say(`quality ${changed.qualityRating}, limit ${changed.messagingLimit} of the ${changed.limitScope}`);
  const told = await tour.mail.find(number, /quality/i);
  if (told) say(told.Subject);
  await expectEvent('/incoming', 'number.quality_changed', number.id);
  await expectEvent('/incoming', 'number.limit_changed', number.id);
}

async function forward(tour: Tour, number: NumberView, meta: Meta, endpointUrl: string): Promise<void> {
  const { expectEvent } = endpointOf(endpointUrl);
  step('A message arrives, and the status of another one: both are forwarded and signed.');
  await meta.sendMessage('Does it come in another colour?');
  await meta.sendStatus('delivered');
  await expectEvent('/incoming', 'message.received', number.id);
  await expectEvent('/statuses', 'message.status', number.id);
  const { items } = await tour.customer.numbers.deliveries(number.id).page();
  for (const { type, status } of items) say(`${type.padEnd(24)}${status}`);
}
