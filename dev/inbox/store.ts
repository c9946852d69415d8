/** Messages on disk: the raw ones, one file each, and an index of one JSON line per message. */

import { randomUUIDv7 } from 'node:crypto';
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Arrival, type Message, type MessageSummary, parseMessage } from './message.ts';

interface IndexLine extends Arrival {
  summary: MessageSummary;
}

export class MessageStore {
  readonly #folder: string;
  readonly #index: string;
  /** Oldest first. */
  readonly #lines: IndexLine[] = [];
  readonly #byId = new Map<string, IndexLine>();

  constructor(folder: string) {
    this.#folder = join(folder, 'raw');
    this.#index = join(folder, 'index.jsonl');
    mkdirSync(this.#folder, { recursive: true });
    if (!existsSync(this.#index)) return;
    const text = readFileSync(this.#index, 'utf8');
    for (const line of text.split('\n').filter(Boolean)) {
      try {
        this.#remember(JSON.parse(line) as IndexLine);
      } catch {
        // The process was killed while it wrote this line: its sender got no answer and sends again.
      }
    }
    // So that the next line does not continue a torn one.
    if (text !== '' && !text.endsWith('\n')) appendFileSync(this.#index, '\n');
  }

  get size(): number {
    return this.#lines.length;
  }

  /** Stores a message; when it resolves, a killed process would not lose it. */
  async add(raw: Buffer, envelope: { mailFrom: string; rcptTo: string[] }): Promise<MessageSummary> {
    const arrival = { id: randomUUIDv7().replaceAll('-', ''), at: new Date().toISOString(), ...envelope };
    const { summary } = await parseMessage(raw, arrival);
    await writeFile(this.#file(arrival.id), raw, { mode: 0o600 });
    const line: IndexLine = { ...arrival, summary };
    appendFileSync(this.#index, `${JSON.stringify(line)}\n`, { mode: 0o600 });
    this.#remember(line);
    return summary;
  }

  /** Newest first. */
  list(start: number, limit: number): MessageSummary[] {
    const end = Math.max(this.#lines.length - start, 0);
    return this.#lines
      .slice(Math.max(end - limit, 0), end)
      .reverse()
      .map(({ summary }) => summary);
  }

  /** The message with this id, or the newest one for `latest`; null when there is none. */
  async get(id: string): Promise<Message | null> {
    const line = id === 'latest' ? this.#lines.at(-1) : this.#byId.get(id);
    if (!line) return null;
    return (await parseMessage(await readFile(this.#file(line.id)), line)).message;
  }

  #file(id: string): string {
    return join(this.#folder, `${id}.eml`);
  }

  #remember(line: IndexLine): void {
    this.#lines.push(line);
    this.#byId.set(line.id, line);
  }
}
