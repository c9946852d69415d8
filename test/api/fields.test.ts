/** Every row of the field table: what it refuses, with a pointer to the field, and the edges it accepts. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { submission } from '../support/http.ts';
import { createAccount } from '../support/stack.ts';
import { problemOf, startTestApi, type TestApi } from './harness.ts';

let api: TestApi;
let key: string;

beforeAll(async () => {
  api = await startTestApi();
  ({ key } = await createAccount(api.db));
});
afterAll(() => api.close());

const post = (changes: Record<string, unknown>) => api.call(key, 'POST', '/v1/numbers', submission(changes));
const EMOJI = '👩‍👩‍👧';
const SURROGATE = 'half \ud83d here';

const WRONG_TYPES = [1, true, [], {}, [['a']], { a: { b: 'c' } }];
const ALWAYS_WRONG = [...WRONG_TYPES, 'NUL \u0000 here', SURROGATE, 'escape \u001b here'];
const TOO_LONG = 'x'.repeat(257);

const REFUSED: Record<string, unknown[]> = {
  displayName: [
    null,
    '',
    ' ',
    'a',
    ' a ',
    'a'.repeat(76),
    'two\nlines',
    'tab\there',
    'u\u2028',
    '🦊',
    '\u200b\u200b',
    '\u3164\u3164',
    '\u2800\ufe0f',
    'a\u2060\u00ad',
    'shop\u202eevil',
  ],
  mobileNumber: [
    null,
    '',
    '5555550123',
    '+1',
    '+123456',
    'abc',
    `+1555555${'0'.repeat(20)}`,
    '+1 555 555 0123 ext 4',
    '+49 (0)30 1234567',
  ],
  incomingUrl: [
    'example.com',
    'http://example.com/in',
    'ftp://example.com',
    'https:example.com',
    'https://user:pass@example.com',
    'https://exa mple.com',
    `https://example.com/${'x'.repeat(2030)}`,
    'https://127.0.0.1/',
    'https://localhost/',
    'https://postgres/',
    'https:///example.com',
    'https://example.com\\@evil.example',
    'https://@example.com',
    'https://10.1.2.3:8443/in',
    'https://[::1]/',
  ],
  address: [TOO_LONG],
  businessDescription: [TOO_LONG],
  businessCategory: [null, '', 'retail', 'SHOES', '__proto__', 'constructor'],
  contactEmail: [
    'x',
    'a@b',
    'two@example.com, three@example.com',
    'a b@example.com',
    `${'x'.repeat(120)}@example.com`,
  ],
  website: [
    'example.com',
    'javascript:alert(1)',
    'https://u:p@example.com',
    `https://example.com/${'x'.repeat(240)}`,
  ],
};

describe.each(Object.entries(REFUSED))('%s', (field, values) => {
  it.each([...values, ...ALWAYS_WRONG])('refuses %j with a pointer', async (value) => {
    const response = await post({ [field]: value });
    expect(response.statusCode, response.body).toBe(422);
    const { code, errors } = problemOf(response);
    expect(code).toBe('invalid_request');
    expect(errors.map((error) => error.pointer)).toContain(`/${field}`);
    expect(errors.every((error) => error.detail.length > 5)).toBe(true);
  });
});

it('tells how to write a number, in words that hold in every country', async () => {
  const { errors } = problemOf(await post({ mobileNumber: '+49 (0)30 1234567' }));
  // In Italy, the 0 is dialled from abroad too.
  expect(errors[0]?.detail).toMatch(/the country code, then what is dialled from abroad\.$/);
});

it.each(['displayName', 'mobileNumber', 'businessCategory'])('requires %s', async (field) => {
  const { [field]: _, ...body } = submission() as Record<string, unknown>;
  const response = await api.call(key, 'POST', '/v1/numbers', body);
  expect(response.statusCode).toBe(422);
  const { errors } = problemOf(response);
  expect(errors.map((error) => error.pointer)).toEqual([`/${field}`]);
  expect(errors[0]?.detail).toMatch(/^Required\. /);
});

describe('accepts the edges', () => {
  it.each([
    ['displayName', 'ab'],
    ['displayName', 'n'.repeat(75)],
    ['displayName', '🦊'.repeat(75)],
    ['displayName', 'O’Neill & Söhne <b>"GmbH"</b>'],
    ['address', 'é'.repeat(256)],
    ['address', `${EMOJI.repeat(51)}!`],
    ['address', 'Via Dante 1\n20121 Milano'],
    ['businessDescription', '🎉'.repeat(256)],
    ['contactEmail', 'first.last+tag@mail.example.co.uk'],
    ['website', 'http://example.com'],
    ['website', 'https://bücher.example/über?q=1#x'],
    ['incomingUrl', 'https://example.com:8443/in?token=1'],
    ['incomingUrl', `https://example.com/${'x'.repeat(2028)}`],
    ['incomingUrl', 'https://name-that-does-not-resolve.invalid/in'],
  ])('%s %j', async (field, value) => {
    const response = await post({ [field]: value });
    expect(response.statusCode, response.body).toBe(201);
    expect(response.json()[field]).toBe(value);
  });

  it.each([
    ['+1 (555) 555-0123', '+15555550123'],
    ['+1.202.555.0143', '+12025550143'],
    [' +39 02 1234 5678 ', '+390212345678'],
    ['+49 (30) 123456', '+4930123456'],
    ['+1 202–555–0144', '+12025550144'],
  ])('%j as %s', async (typed, stored) => {
    const response = await post({ mobileNumber: typed });
    expect(response.statusCode, response.body).toBe(201);
    expect(response.json().mobileNumber).toBe(stored);
  });

  it('counts characters after NFC and stores that', async () => {
    const response = await post({ address: 'e\u0301'.repeat(256), displayName: '  Cafe\u0301  ' });
    expect(response.statusCode, response.body).toBe(201);
    expect(response.json()).toMatchObject({ address: '\u00e9'.repeat(256), displayName: 'Caf\u00e9' });
  });

  it.each([null, ''])('%j as none in an optional field', async (none) => {
    const fields = ['incomingUrl', 'address', 'businessDescription', 'contactEmail', 'website'];
    const response = await post(Object.fromEntries(fields.map((field) => [field, none])));
    expect(response.statusCode, response.body).toBe(201);
    for (const field of fields) expect(response.json()[field]).toBeNull();
  });
});

describe('unknown fields', () => {
  it.each(['imageUrl', 'status', 'id', 'accountId', 'a/b~c'])('refuses %s', async (field) => {
    const response = await post({ [field]: 'x' });
    expect(response.statusCode).toBe(422);
    expect(problemOf(response).errors).toEqual([
      {
        pointer: `/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`,
        code: 'unknown_field',
        detail: expect.any(String),
      },
    ]);
  });

  it('names each of several, and not thousands', async () => {
    const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`f${i}`, 1]));
    const { errors } = problemOf(await post(many));
    expect(errors.length).toBeGreaterThan(10);
    expect(errors.length).toBeLessThanOrEqual(50);
  });
});

it('names every field at fault at once', async () => {
  const response = await post({
    displayName: 'x',
    businessCategory: 'NO',
    address: TOO_LONG,
    contactEmail: 'no',
  });
  const pointers = problemOf(response).errors.map((error) => error.pointer);
  expect(new Set(pointers)).toEqual(
    new Set(['/displayName', '/businessCategory', '/address', '/contactEmail']),
  );
});

describe('development', () => {
  it('takes http Incoming URLs but judges their addresses', async () => {
    const development = await startTestApi({ ALLOW_HTTP_URLS: 'true' });
    try {
      const { key } = await createAccount(development.db);
      const send = (incomingUrl: string) =>
        development.call(key, 'POST', '/v1/numbers', submission({ incomingUrl }));
      expect((await send('http://name-that-does-not-resolve.invalid/')).statusCode).toBe(201);
      expect((await send('http://127.0.0.1:8080/')).statusCode).toBe(422);
    } finally {
      await development.close();
    }
  });

  it('is not what production is, whatever is set', async () => {
    const production = await startTestApi({
      NODE_ENV: 'production',
      PUBLIC_URL: 'https://numbers.example',
      ALLOW_HTTP_URLS: 'true',
    });
    try {
      const { key } = await createAccount(production.db);
      const body = submission({ incomingUrl: 'http://example.com/' });
      expect((await production.call(key, 'POST', '/v1/numbers', body)).statusCode).toBe(422);
    } finally {
      await production.close();
    }
  });
});
