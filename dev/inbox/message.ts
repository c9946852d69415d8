/** Messages in the JSON shapes of Mailpit's API, version 1: field names and their case are Mailpit's. */
import { type AddressObject, type Attachment, type EmailAddress, simpleParser } from 'mailparser';

export interface Address {
  Name: string;
  Address: string;
}

interface Head {
  ID: string;
  /** Without angle brackets. */
  MessageID: string;
  From: Address;
  To: Address[];
  Cc: Address[];
  /** Recipients of the envelope that no header names. */
  Bcc: Address[];
  ReplyTo: Address[];
  Subject: string;
  Tags: string[];
  /** Bytes of the raw message. */
  Size: number;
}

/** A line of `GET /api/v1/messages`. */
export interface MessageSummary extends Head {
  Read: boolean;
  /** When it arrived, RFC 3339. */
  Created: string;
  Attachments: number;
  /** The first 250 characters of the text. */
  Snippet: string;
}

interface Part {
  PartID: string;
  FileName: string;
  ContentType: string;
  ContentID: string;
  Size: number;
}

/** `GET /api/v1/message/{ID}`. */
export interface Message extends Head {
  ReturnPath: string;
  Date: string;
  Text: string;
  HTML: string;
  Attachments: Part[];
  Inline: Part[];
}

/** What arrived, beside the raw message. */
export interface Arrival {
  id: string;
  /** RFC 3339. */
  at: string;
  mailFrom: string;
  rcptTo: string[];
}

/** In characters. */
const SNIPPET_LENGTH = 250;

export async function parseMessage(
  raw: Buffer,
  { id, at, mailFrom, rcptTo }: Arrival,
): Promise<{ summary: MessageSummary; message: Message }> {
  // A missing text or HTML part stays missing: made from the other it would hide a fault of the sender.
  const mail = await simpleParser(raw, { skipHtmlToText: true, skipTextToHtml: true, skipImageLinks: true });
  const To = addresses(mail.to);
  const Cc = addresses(mail.cc);
  const named = new Set([...To, ...Cc].map(({ Address }) => Address.toLowerCase()));
  const head: Head = {
    ID: id,
    MessageID: (mail.messageId ?? '').replace(/^<|>$/g, ''),
    From: addresses(mail.from)[0] ?? { Name: '', Address: mailFrom },
    To,
    Cc,
    Bcc: rcptTo
      .filter((address) => !named.has(address.toLowerCase()))
      .map((address) => ({ Name: '', Address: address })),
    ReplyTo: addresses(mail.replyTo),
    Subject: mail.subject ?? '',
    Tags: [],
    Size: raw.length,
  };
  const text = mail.text ?? '';
  const html = mail.html || '';
  const inline = mail.attachments.filter((attachment) => attachment.related);
  const attached = mail.attachments.filter((attachment) => !attachment.related);
  const visible = (text || html.replace(/<(style|script)[\s\S]*?<\/\1>|<[^>]*>/gi, ' '))
    .replace(/\s+/g, ' ')
    .trim();
  return {
    summary: {
      ...head,
      Read: false,
      Created: at,
      Attachments: attached.length,
      Snippet: snippet(visible),
    },
    message: {
      ...head,
      ReturnPath: mailFrom,
      Date: (mail.date ?? new Date(at)).toISOString(),
      Text: text,
      HTML: html,
      Attachments: attached.map(part),
      Inline: inline.map(part),
    },
  };
}

/** The beginning of a text. A word that would be cut is left out whole: half a link would lead astray. */
function snippet(text: string): string {
  const start = [...text].slice(0, SNIPPET_LENGTH).join('');
  if (start === text) return text;
  const cut = text[start.length] === ' ' ? start : start.replace(/ \S*$/, '');
  return `${cut.trimEnd()} …`;
}

function addresses(header: AddressObject | AddressObject[] | undefined): Address[] {
  const flatten = ({ name, address, group }: EmailAddress): Address[] =>
    group ? group.flatMap(flatten) : [{ Name: name, Address: address ?? '' }];
  return [header ?? []].flat().flatMap(({ value }) => value.flatMap(flatten));
}

function part({ partId, filename, contentType, cid, size }: Attachment): Part {
  return {
    PartID: partId ?? '',
    FileName: filename ?? '',
    ContentType: contentType,
    ContentID: cid ?? '',
    Size: size,
  };
}
