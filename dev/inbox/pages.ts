/** The pages of the inbox. Plain HTML without scripts; everything from a message is escaped. */
import { escapeHtml } from '../../contract/text.ts';
import type { Address, Message, MessageSummary } from './message.ts';

const STYLE = `
  :root { color-scheme: light dark; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1rem; }
  th, td { box-sizing: border-box; }
  table { border-collapse: collapse; width: 100%; }
  th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #8884; overflow-wrap: break-word; }
  td:last-child { overflow-wrap: anywhere; width: 100%; }
  @media (max-width: 40rem) { thead { display: none; } td { display: block; border: 0; padding: 0 .6rem; } tr { display: block; border-bottom: 1px solid #8884; padding: .4rem 0; } }
  time { white-space: nowrap; }
  small { opacity: .75; display: block; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1rem; }
  dd { margin: 0; overflow-wrap: anywhere; }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; border: 1px solid #8884; padding: 1rem; }
  iframe { width: 100%; height: 32rem; resize: vertical; border: 1px solid #8884; background: #fff; }
`;

const names = (list: Address[]) =>
  escapeHtml(list.map(({ Name, Address }) => (Name ? `${Name} <${Address}>` : Address)).join(', '));

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head>
<body>${body}</body>
</html>`;
}

/** Messages `start` to `start + limit`, newest first. */
export function listPage(messages: MessageSummary[], start: number, limit: number, total: number): string {
  const rows = messages.map(
    ({ ID, Created, To, Cc, Bcc, Subject, Snippet }) => `<tr>
<td><time datetime="${Created}">${Created.slice(0, 19).replace('T', ' ')}</time></td>
<td>${names([...To, ...Cc, ...Bcc])}</td>
<td><a href="/messages/${ID}">${escapeHtml(Subject) || '(no subject)'}</a><small>${escapeHtml(Snippet)}</small></td>
</tr>`,
  );
  const newer = start > 0 ? `<a href="/?start=${Math.max(start - limit, 0)}">Newer</a>` : '';
  const older = start + limit < total ? `<a href="/?start=${start + limit}">Older</a>` : '';
  return page(
    'Inbox',
    `<h1>Inbox</h1><p>${total} ${total === 1 ? 'message' : 'messages'} · <a href="/">Refresh</a></p>
<table><thead><tr><th scope="col">Arrived (UTC)</th><th scope="col">To</th><th scope="col">Subject</th></tr></thead>
<tbody>${rows.join('\n')}</tbody></table>
<nav aria-label="Pages">${newer} ${older}</nav>`,
  );
}

/** With a character at the end that ends no sentence. */
const LINK = /(https?:\/\/[^\s<>"]*[^\s<>"'.,;:!?)\]])/i;

/** Escaped, with its addresses as links. */
function linked(text: string): string {
  // Split by a pattern in brackets, every second part is what it matched.
  const parts = text.split(LINK).map((part, index) => {
    const shown = escapeHtml(part);
    return index % 2 === 0 ? shown : `<a href="${shown}" target="_blank" rel="noreferrer">${shown}</a>`;
  });
  return parts.join('');
}

/**
 * What the frame shows: a message's HTML, whose links open in a tab of their own. A browser takes what the message
 * says of a doctype, `<html>` and `<head>` also after this, and the first `<base>` wins.
 */
export const framed = (html: string) => `<!doctype html><base target="_blank">${html}`;

/** What a message's HTML may do: open tabs for its links, which are free of this. Nothing in it runs. */
export const SANDBOX = 'allow-popups allow-popups-to-escape-sandbox';

/** One message: its text as text, its HTML in a frame in which nothing runs. */
export function messagePage(message: Message): string {
  const { ID, Subject, From, To, Cc, Bcc, Date: date, MessageID, Text, HTML, Attachments } = message;
  const fields: [string, string][] = [
    ['From', names([From])],
    ['To', names(To)],
    ['Cc', names(Cc)],
    ['Bcc', names(Bcc)],
    ['Date', escapeHtml(date)],
    ['Message-ID', escapeHtml(MessageID)],
    ['Attachments', escapeHtml(Attachments.map(({ FileName }) => FileName || '(no name)').join(', '))],
  ];
  const list = fields
    .filter(([, value]) => value !== '')
    .map(([name, value]) => `<dt>${name}</dt><dd>${value}</dd>`);
  return page(
    Subject || '(no subject)',
    `<p><a href="/">Inbox</a></p><h1>${escapeHtml(Subject) || '(no subject)'}</h1><dl>${list.join('')}</dl>
<h2>Text</h2>${Text ? `<pre>${linked(Text)}</pre>` : '<p>This message has no text part.</p>'}
<h2>HTML</h2>${HTML ? `<iframe sandbox="${SANDBOX}" title="HTML of the message" src="/messages/${ID}/html"></iframe>` : '<p>This message has no HTML part.</p>'}`,
  );
}
