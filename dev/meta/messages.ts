/** Values of the webhook field `messages`: what people write to a number, and what became of what it sent. */
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import type { PhoneNumber } from './state.ts';

const digits = z.string().regex(/^\d{5,15}$/);
/** Meta sends at most so many updates in one webhook. */
const count = z.coerce.number().int().min(1).max(1000).default(1);

const reply = { id: 'yes', title: 'Yes, please' };
const media = (mime_type: string) => ({
  id: '1908647269898587',
  mime_type,
  sha256: randomBytes(32).toString('base64'),
});

/** What is beside `type`, by type, as Meta's pages show it. */
const CONTENT = {
  text: (body: string) => ({ text: { body } }),
  image: (caption: string) => ({ image: { caption, ...media('image/jpeg') } }),
  audio: () => ({ audio: { ...media('audio/ogg; codecs=opus'), voice: true } }),
  video: (caption: string) => ({ video: { caption, ...media('video/mp4') } }),
  document: (caption: string) => ({
    document: { caption, filename: 'order.pdf', ...media('application/pdf') },
  }),
  sticker: () => ({ sticker: { ...media('image/webp'), animated: false } }),
  location: (name: string) => ({
    location: { latitude: 45.4642, longitude: 9.19, name, address: 'Via Roma 1, Milano' },
  }),
  contacts: (name: string) => ({
    contacts: [
      { name: { formatted_name: name, first_name: name }, phones: [{ phone: '+16505551234', type: 'CELL' }] },
    ],
  }),
  interactive: () => ({ interactive: { type: 'button_reply', button_reply: reply } }),
  button: (text: string) => ({ button: { text, payload: 'yes' } }),
  order: (text: string) => ({
    order: {
      catalog_id: '194836987003835',
      text,
      product_items: [{ product_retailer_id: 'w1', quantity: 2, item_price: 7.5, currency: 'USD' }],
    },
  }),
  reaction: () => ({ reaction: { message_id: newMessageId(), emoji: '👍' } }),
  system: (body: string) => ({ system: { body, wa_id: '16505550000', type: 'user_changed_number' } }),
  unsupported: () => ({
    errors: [
      {
        code: 131051,
        title: 'Message type unknown',
        message: 'Message type unknown',
        error_data: { details: 'Message type is currently not supported.' },
      },
    ],
  }),
} satisfies Record<string, (text: string) => object>;

export const MESSAGE_TYPES = Object.keys(CONTENT) as [keyof typeof CONTENT, ...(keyof typeof CONTENT)[]];

export const messageSchema = z.object({
  type: z.enum(MESSAGE_TYPES).default('text'),
  text: z.string().default('Does it come in another color?'),
  /** The person's number; of several messages without it, each is from another person. */
  from: digits.optional(),
  name: z.string().default('Sheena Nelson'),
  /** Only a user id in place of the number, as with usernames since 2026. */
  userId: z.string().optional(),
  count,
});

export const STATUSES = ['sent', 'delivered', 'read', 'failed', 'played'] as const;

export const statusSchema = z.object({
  status: z.enum(STATUSES).default('delivered'),
  /** Of the message that was sent; a new one without it. */
  messageId: z.string().optional(),
  recipient: digits.optional(),
  opaque: z.string().optional(),
  /** Of a failed one: Meta's code. */
  errorCode: z.coerce.number().int().default(131026),
  count,
});

/** Changes for one webhook, one message each. */
export function messageChanges(number: PhoneNumber, asked: z.output<typeof messageSchema>, now: number) {
  const { type, text, from, name, userId, count } = asked;
  return each(number, count, (index) => {
    const sender = from ?? person(index);
    const who = userId === undefined ? { from: sender } : { from_user_id: userId };
    const contact = userId === undefined ? { wa_id: sender } : { user_id: userId };
    const said = count === 1 ? text : `${text} (${index + 1})`;
    const message = { ...who, id: newMessageId(), timestamp: seconds(now), type, ...CONTENT[type](said) };
    return {
      id: message.id,
      // Meta's system messages name nobody.
      ...(type !== 'system' && { contacts: [{ profile: { name }, ...contact }] }),
      messages: [message],
    };
  });
}

/** Changes for one webhook, one status each. */
export function statusChanges(number: PhoneNumber, asked: z.output<typeof statusSchema>, now: number) {
  const { status, messageId, recipient, opaque, errorCode, count } = asked;
  return each(number, count, (index) => {
    const id = count === 1 && messageId ? messageId : newMessageId();
    const error = {
      code: errorCode,
      title: 'Message undeliverable',
      message: 'Message undeliverable',
      error_data: { details: 'The recipient has not accepted the new terms of service.' },
      href: 'https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/',
    };
    const pricing = { billable: true, pricing_model: 'PMP', type: 'regular', category: 'utility' };
    const told = {
      id,
      status,
      timestamp: seconds(now),
      recipient_id: recipient ?? person(index),
      ...(opaque && { biz_opaque_callback_data: opaque }),
      ...(status === 'failed' ? { errors: [error] } : { pricing }),
    };
    return { id, statuses: [told] };
  });
}

function each<T extends { id: string }>(number: PhoneNumber, count: number, made: (index: number) => T) {
  const parts = Array.from({ length: count }, (_, index) => made(index));
  const metadata = { display_phone_number: number.digits, phone_number_id: number.id };
  return {
    ids: parts.map(({ id }) => id),
    changes: parts.map(({ id: _, ...part }) => ({
      field: 'messages',
      value: { messaging_product: 'whatsapp', metadata, ...part },
    })),
  };
}

function newMessageId(): string {
  return `wamid.${randomBytes(36).toString('base64')}`;
}

const person = (index: number) => `1650555${String(1234 + index).padStart(4, '0')}`;
const seconds = (now: number) => String(Math.floor(now / 1000));
