/** A client of the stream, over a real socket. */
interface Told {
  id: string;
  event: string;
  // biome-ignore lint/suspicious/noExplicitAny: each test reads its own part of it
  data: any;
}

export interface Listening {
  status: number;
  headers: Headers;
  /** What has come so far. */
  told: Told[];
  /** The latest `id`, also of what is no event. */
  lastId(): string;
  /** Resolves when what has come fulfils that; rejects when the stream ends before, or after 40 s. */
  until(enough: (told: Told[]) => boolean): Promise<Told[]>;
  /** Resolves when the stream has ended. */
  ended: Promise<void>;
  close(): void;
}

/** Longer than two heartbeats. */
const SILENT_MS = 40_000;

/** Listens with a key, or with other headers. Resolves with the first block that came: the place where it begins. */
export async function listen(
  api: { url: string },
  key: string | null,
  { query = '', headers = {} }: { query?: string; headers?: Record<string, string> } = {},
): Promise<Listening> {
  const closing = new AbortController();
  const response = await fetch(`${api.url}/v1/stream${query}`, {
    headers: { ...(key !== null && { authorization: `Bearer ${key}` }), ...headers },
    signal: closing.signal,
  });
  const told: Told[] = [];
  const waiting = new Set<() => void>();
  let id = '';
  let over = false;

  function take(block: string): void {
    const fields = new Map(
      block.split('\n').map((line) => [line.split(': ')[0], line.slice(line.indexOf(': ') + 2)]),
    );
    id = fields.get('id') ?? id;
    const data = fields.get('data');
    if (data !== undefined) told.push({ id, event: fields.get('event') ?? '', data: JSON.parse(data) });
    for (const look of waiting) look();
  }
  async function read(): Promise<void> {
    let text = '';
    try {
      for await (const chunk of response.body ?? []) {
        const blocks = (text + Buffer.from(chunk).toString()).split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) take(block);
      }
    } catch {
      // Cut off.
    }
    over = true;
    for (const look of waiting) look();
  }
  const wait = (enough: () => boolean) =>
    new Promise<void>((resolve, reject) => {
      const settle = (why?: string) => {
        clearTimeout(late);
        waiting.delete(look);
        if (why === undefined) resolve();
        else reject(new Error(`${why} after ${told.length} events, the last ${told.at(-1)?.id}`));
      };
      const look = () => {
        if (enough()) settle();
        else if (over) settle('The stream has ended');
      };
      const late = setTimeout(() => settle('The stream is silent'), SILENT_MS);
      waiting.add(look);
      look();
    });

  const ended = read();
  if (response.status === 200) await wait(() => id !== '');
  return {
    status: response.status,
    headers: response.headers,
    told,
    lastId: () => id,
    until: async (enough) => {
      await wait(() => enough(told));
      return told;
    },
    ended,
    close: () => closing.abort(),
  };
}
