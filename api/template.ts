/** HTML from templates: everything put into one is escaped. */
import { escapeHtml } from '../contract/text.ts';

/** Text that is HTML already. Only `html` makes it. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may be put into a template: `false` and null are nothing. */
type Part = string | number | Html | readonly Html[] | null | false;

/** A template of HTML. What is put in is escaped, as text and in quoted attributes; `Html` stays as it is. */
export function html(template: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(
    template.reduce((before, text, index) => `${before}${render(parts[index - 1] ?? null)}${text}`),
  );
}

function render(part: Part): string {
  if (part === null || part === false) return '';
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(({ text }) => text).join('');
  return escapeHtml(String(part));
}
