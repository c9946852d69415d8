/** A letter is written once, as blocks, and rendered twice: text and HTML cannot tell different stories. */
import { DIRECTION, escapeHtml } from '../contract/text.ts';

export type Block =
  | { type: 'paragraph'; text: string }
  /** Somebody's own words; their line breaks stay. `marked`: also in the text no line of them passes for one of ours. */
  | { type: 'quote'; text: string; marked?: boolean }
  | { type: 'facts'; facts: [label: string, value: string][] }
  | { type: 'list'; items: string[] }
  /** An address of ours, on a line of its own. */
  | { type: 'link'; label: string; url: string };

export interface Letter {
  subject: string;
  heading: string;
  blocks: Block[];
}

/** A link that was erased (its email was sent once) cannot be sent again. */
export function linkBlock(label: string, url: string | undefined): Block {
  if (url === undefined) throw new Error('its link is gone; ask for a new one');
  return { type: 'link', label, url };
}

/** In Unicode's isolates: a name that is written from right to left leaves the words after it where they are. */
export function isolated(text: string): string {
  return `\u2068${text}\u2069`;
}

/** Bytes of a subject stay well below what a mail server takes in a header, whatever a name holds. */
const SUBJECT_CHARACTERS = 160;

/**
 * One line for a header: line breaks and control characters become spaces, characters that turn the
 * direction of writing are dropped, and the length is bounded.
 */
export function subjectLine(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replaceAll(new RegExp(DIRECTION, 'g'), '')
    .replace(/\s+/g, ' ')
    .trim();
  const characters = [...line];
  return characters.length <= SUBJECT_CHARACTERS
    ? line
    : `${characters.slice(0, SUBJECT_CHARACTERS - 1).join('')}…`;
}

/** The letter as plain text: blocks apart by an empty line. */
export function letterText(letter: Letter): string {
  return `${[...letter.blocks.map(blockText), FOOTER].join('\n\n')}\n`;
}

/** The letter as HTML: one column, colours left to the reader's light or dark mode, everything escaped. */
export function letterHtml(letter: Letter): string {
  const subject = escapeHtml(subjectLine(letter.subject));
  return `<!doctype html>
<html lang="en" dir="ltr">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>${subject}</title>
<style>:root { color-scheme: light dark; supported-color-schemes: light dark; }</style>
</head>
<body style="margin: 0; padding: 0;">
<div role="article" aria-label="${subject}" lang="en" dir="ltr" style="max-width: 36em; margin: 0 auto; padding: 24px 16px; font-family: system-ui, -apple-system, 'Segoe UI', Roboto, Arial, sans-serif; font-size: 16px; line-height: 1.5; overflow-wrap: anywhere;">
<h1 style="font-size: 22px; line-height: 1.3; margin: 0 0 16px;">${escapeHtml(oneLine(letter.heading))}</h1>
${letter.blocks.map(blockHtml).join('\n')}
<p style="margin: 32px 0 0; padding-top: 12px; border-top: 1px solid #888888; font-size: 14px;">${escapeHtml(FOOTER)}</p>
</div>
</body>
</html>
`;
}

const FOOTER = 'This email was sent automatically, and answers to it are not read.';

function blockText(block: Block): string {
  switch (block.type) {
    case 'paragraph':
      return oneLine(block.text);
    case 'quote':
      return lines(block.text)
        .map((line) => (block.marked ? `> ${line}` : line))
        .join('\n');
    case 'facts':
      return block.facts.map(([label, value]) => `${label}: ${oneLine(value)}`).join('\n');
    case 'list':
      return block.items.map((item) => `- ${oneLine(item)}`).join('\n');
    case 'link':
      return `${oneLine(block.label)}:\n${block.url}`;
  }
}

function blockHtml(block: Block): string {
  switch (block.type) {
    case 'paragraph':
      return `<p style="margin: 0 0 16px;">${escapeHtml(oneLine(block.text))}</p>`;
    case 'quote':
      return `<blockquote dir="auto" style="margin: 0 0 16px; padding: 4px 0 4px 14px; border-left: 4px solid #888888;">${lines(block.text).map(escapeHtml).join('<br>\n')}</blockquote>`;
    case 'facts':
      return `<p style="margin: 0 0 16px;">${block.facts
        .map(
          ([label, value]) =>
            `${escapeHtml(label)}: <strong dir="auto">${escapeHtml(oneLine(value))}</strong>`,
        )
        .join('<br>\n')}</p>`;
    case 'list':
      return `<ul style="margin: 0 0 16px; padding-left: 24px;">\n${block.items.map(itemHtml).join('\n')}\n</ul>`;
    case 'link':
      return `<p style="margin: 0 0 16px;"><a href="${escapeHtml(block.url)}">${escapeHtml(oneLine(block.label))}</a></p>`;
  }
}

function itemHtml(item: string): string {
  return `<li style="margin: 0 0 6px;">${escapeHtml(oneLine(item))}</li>`;
}

/** A value in the middle of a sentence cannot start a paragraph of its own. */
function oneLine(text: string): string {
  return text.toWellFormed().replace(/[\p{Cc}\u2028\u2029]+/gu, ' ');
}

/** The lines of somebody's own words, without control characters but tabs. */
function lines(text: string): string[] {
  return text
    .toWellFormed()
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => line.replace(/[^\P{Cc}\t]/gu, ' '));
}
