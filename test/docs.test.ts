/** docs/security.md names tests that exist, for each of the ten risks. */
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const project = new URL('..', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, project), 'utf8');

const risks = read('docs/security.md')
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    name: section.split(' ', 1)[0] ?? '',
    tests: [...section.matchAll(/^- `(\S+)`: (.+)$/gm)].map(([, file = '', title = '']) => ({ file, title })),
  }));

it('tells of all ten risks', () => {
  expect(risks.map(({ name }) => name)).toEqual(Array.from({ length: 10 }, (_, i) => `API${i + 1}`));
});

it.each(risks.map(({ name, tests }) => [name, tests] as const))(
  '%s names tests that exist',
  (_name, tests) => {
    expect(tests.length).toBeGreaterThan(0);
    const missing = tests.filter(({ file, title }) => {
      if (!file.endsWith('.test.ts') || !existsSync(new URL(file, project))) return true;
      const code = read(file);
      return !["'", '"', '`'].some((quote) => code.includes(`${quote}${title}${quote}`));
    });
    expect(missing).toEqual([]);
  },
);
