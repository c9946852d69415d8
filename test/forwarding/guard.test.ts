/** Ways to write an address that is not public. None is reached: a canary listens on this machine and hears nothing. */
import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { numberFields } from '../../contract/fields.ts';
import { createSender, type Sender } from '../../delivery/sender.ts';
import { judge, resolveAll, targetProblem } from '../../targets/target-url.ts';
import { type Customer, startCustomer } from '../support/customer.ts';
import { startDns, type TestDns } from '../support/dns.ts';

const RULES = { allowHttp: true, sampleEndpoint: null };
let dns: TestDns;
let canary: Server;
let port: number;
let connections = 0;
let sender: Sender;

beforeAll(async () => {
  dns = await startDns();
  canary = createServer((_request, response) => response.end());
  canary.on('connection', () => {
    connections += 1;
  });
  // Also what reaches this machine by IPv6, or by another of its addresses.
  await new Promise<void>((resolve) => canary.listen(0, '::', resolve));
  port = (canary.address() as { port: number }).port;
  sender = createSender(RULES, resolveAll([dns.server]));
});
afterEach(() => {
  expect(connections).toBe(0);
});
afterAll(async () => {
  await sender.close();
  canary.close();
  canary.closeAllConnections();
  await dns.close();
});

const call = (url: string, through = sender) => through.send(url, '{}', {}, new Date());
/** The problem with a URL when it is saved; null where it is taken. */
async function atSave(url: string): Promise<string | null> {
  const { incomingUrl } = numberFields(RULES).submission.shape;
  const parsed = incomingUrl.safeParse(url);
  if (!parsed.success) return parsed.error.issues[0]?.message ?? 'refused';
  return targetProblem(String(parsed.data), RULES, resolveAll([dns.server]));
}

test('the canary hears whoever comes', async () => {
  await fetch(`http://127.0.0.1:${port}/`);
  await fetch(`http://[::1]:${port}/`);
  expect(connections).toBe(2);
  connections = 0;
});

const LITERALS = [
  // IPv4, in all the forms that a URL takes.
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '127.255.255.254',
  '2130706433',
  '017700000001',
  '0x7f000001',
  '0x7f.1',
  '0x7f.0x0.0x0.0x1',
  '0177.0.0.01',
  '0177.0.0.1',
  '127.0x1',
  '00000000177.1',
  '0x0000007f.0.0.1',
  '127.0.0.1.',
  '%31%32%37.0.0.1',
  '127%2e0%2e0%2e1',
  '0',
  '0.0.0.0',
  '0x0',
  '10.0.0.1',
  '10.255.255.255',
  '0xa000001',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '192.168.257',
  '3232235777',
  '169.254.169.254',
  '0xa9fea9fe',
  '2852039166',
  '169.254.43518',
  '100.64.0.1',
  '100.127.255.255',
  '192.0.0.1',
  '192.0.2.1',
  '198.51.100.1',
  '203.0.113.1',
  '198.18.0.1',
  '198.19.255.255',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  // Other digits and dots, which are mapped to the usual ones.
  '１２７.０.０.１',
  '①②⑦.⓪.⓪.①',
  '𝟏𝟐𝟕.𝟎.𝟎.𝟏',
  '127。0。0。1',
  '127．0．0．1',
  '127｡0｡0｡1',
  '１０.０.０.１',
  // IPv6.
  '[::]',
  '[::1]',
  '[0:0:0:0:0:0:0:1]',
  '[0000::0001]',
  '[::127.0.0.1]',
  '[::7f00:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[0:0:0:0:0:ffff:127.0.0.1]',
  '[::ffff:10.0.0.1]',
  '[::ffff:169.254.169.254]',
  '[::ffff:0:127.0.0.1]',
  '[64:ff9b::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[64:ff9b::a9fe:a9fe]',
  '[64:ff9b:1::127.0.0.1]',
  '[2002:7f00:1::]',
  '[2002:7f00:0001::1]',
  '[2002:a00:1::]',
  '[2002:c0a8:1::1]',
  '[2001:0:4136:e378:8000:63bf:80ff:fffe]',
  '[2001::1]',
  '[fe80::1]',
  '[febf::1]',
  '[fec0::1]',
  '[fc00::1]',
  '[fd00:ec2::254]',
  '[fdff:ffff::1]',
  '[ff02::1]',
  '[ff0e::1]',
  '[100::1]',
  '[2001:db8::1]',
  '[3fff::1]',
  '[2001:10::1]',
  '[2001:20::1]',
  '[5f00::1]',
  '[4000::1]',
  '[8000::1]',
  '[a000::1]',
  // Names of here.
  'localhost',
  'LOCALHOST',
  'localhost.',
  'ｌｏｃａｌｈｏｓｔ',
  'loc%61lhost',
  'a.localhost',
  'metadata.google.internal',
  'printer.local',
  'postgres',
];

describe('an address that is written', () => {
  test.each(LITERALS)('as %s is refused when it is saved and when it is called', async (host) => {
    for (const scheme of ['http', 'https']) {
      const url = `${scheme}://${host}:${port}/`;
      expect(await atSave(url), url).not.toBeNull();
      const { attempt, failure } = await call(url);
      expect([failure, attempt.status], url).toEqual(['refused', null]);
    }
  });

  test('behind a user, in a path, after a fragment or with tabs in it is judged for what is called', async () => {
    const tricks = [
      `http://8.8.8.8@127.0.0.1:${port}/`,
      `http://8.8.8.8:80@127.0.0.1:${port}/`,
      `http://example.com%40@127.0.0.1:${port}/`,
      `http://user:pass@[::1]:${port}/`,
      `http:\\\\127.0.0.1:${port}\\@example.com/`,
      `http://127.0.0.1:${port}#@example.com/`,
      `http://127.0.0.1:${port}?@example.com/`,
      `http:/127.0.0.1:${port}/`,
      `http:127.0.0.1:${port}/`,
      `http:///127.0.0.1:${port}/`,
      `ht\ntp://127.\t0.0.1:${port}/`,
    ];
    for (const url of tricks) {
      expect(await atSave(url), url).not.toBeNull();
      expect((await call(url)).failure, url).toBe('refused');
    }
  });

  test('with a zone, or as no address, is no URL', () => {
    for (const host of ['[fe80::1%25lo]', '[::1%lo]', '127.0.0.1.1', '256.0.0.1', '0x100000000', '[::1']) {
      expect(URL.canParse(`http://${host}/`), host).toBe(false);
    }
  });

  test('http, and any other scheme, is not called where only https is', async () => {
    const strict = createSender({ allowHttp: false, sampleEndpoint: null }, resolveAll([dns.server]));
    dns.answer('public.example', ['8.8.8.8']);
    const { attempt } = await call(`http://public.example:${port}/`, strict);
    expect(attempt.error).toBe('Only https is called.');
    for (const scheme of ['ftp', 'file', 'gopher', 'ws', 'data']) {
      expect((await call(`${scheme}://127.0.0.1:${port}/`)).failure).not.toBeNull();
    }
    await strict.close();
  });
});

describe('a name', () => {
  const PRIVATE = [
    '127.0.0.1',
    '10.0.0.1',
    '169.254.169.254',
    '::1',
    '::ffff:127.0.0.1',
    'fd00::1',
    '64:ff9b::7f00:1',
  ];

  test.each(PRIVATE)('that is at %s, alone or beside a public address, is refused', async (address) => {
    dns.answer('alone.example', [address]);
    dns.answer('beside.example', ['8.8.8.8', '2606:4700:4700::1111', address]);
    for (const name of ['alone.example', 'beside.example', 'ALONE.example.', 'beside.example.']) {
      const url = `http://${name}:${port}/`;
      expect(await atSave(url), url).toMatch(/private, local or reserved/);
      const { failure, attempt } = await call(url);
      expect([failure, attempt.error], url).toEqual([
        'refused',
        expect.stringMatching(/private, local or reserved/),
      ]);
    }
  });

  test('that does not resolve is taken, and refused when it is called', async () => {
    const url = `http://later.example:${port}/`;
    expect(await atSave(url)).toBeNull();
    expect((await call(url)).attempt.error).toBe('The name does not resolve.');
    dns.answer('later.example', ['127.0.0.1']);
    expect((await call(url)).failure).toBe('refused');
  });

  test('of which the name server tells one kind of address only is at that', async () => {
    dns.answer('silent.example', ['8.8.8.8', '2606:4700:4700::1111']);
    dns.ignore('AAAA silent.example');
    expect(await judge('silent.example', resolveAll([dns.server]))).toEqual({ addresses: ['8.8.8.8'] });
    dns.answer('six.example', ['8.8.8.8', '2606:4700:4700::1111']);
    dns.ignore('A six.example');
    expect(await judge('six.example', resolveAll([dns.server]))).toEqual({
      addresses: ['2606:4700:4700::1111'],
    });
    dns.answer('inside.example', ['127.0.0.1']);
    dns.ignore('AAAA inside.example');
    expect(await judge('inside.example', resolveAll([dns.server]))).toHaveProperty('problem');
  });

  test('whose answer changes is connected to at the address that was judged, and judged at each connection', async () => {
    // Public when it is saved and at the first look of a call, here at any other.
    let looks = 0;
    const rebinding = () => (looks++ < 2 ? ['192.0.43.8'] : ['127.0.0.1']);
    dns.answer('rebinding.example', rebinding);
    expect(await atSave(`http://rebinding.example:${port}/`)).toBeNull();
    looks = 0;
    dns.asked.length = 0;
    const quick = createSender(RULES, async (host) => {
      const answers = await resolveAll([dns.server])(host);
      // The public address is not really called by a test: it is one that nobody has.
      return answers.map(({ address }) => ({ address: address === '192.0.43.8' ? '1.0.0.0' : address }));
    });
    const first = call(`http://rebinding.example:${port}/`, quick);
    // Asked once for each kind of address, whatever the connection comes to.
    await expect.poll(() => dns.asked.length).toBe(2);
    await quick.close();
    expect((await first).attempt.status).toBeNull();
    expect(dns.asked.toSorted()).toEqual(['A rebinding.example', 'AAAA rebinding.example']);
    expect((await call(`http://rebinding.example:${port}/`)).failure).toBe('refused');
  });
});

describe('a redirect', () => {
  let customer: Customer;
  let allowing: Sender;

  beforeAll(async () => {
    customer = await startCustomer();
    allowing = createSender({ allowHttp: true, sampleEndpoint: customer.endpoint }, resolveAll([dns.server]));
  });
  afterAll(async () => {
    await allowing.close();
    await customer.close();
  });

  test.each([301, 302, 303, 307, 308])('of status %i to this machine is not followed', async (status) => {
    customer.answer('/to-here', (response) =>
      response.writeHead(status, { location: `http://127.0.0.1:${port}/` }).end(),
    );
    const { failure, attempt } = await call(customer.url('/to-here'), allowing);
    expect([failure, attempt.status]).toEqual(['redirect', status]);
  });

  test('the sample endpoint is the one exception: no other port, name or form of its address', async () => {
    expect((await call(customer.url('/'), allowing)).attempt.status).toBe(200);
    const rules = { sampleEndpoint: customer.endpoint };
    const samplePort = customer.endpoint.split(':')[1];
    expect(await targetProblem(customer.url('/'), rules)).toBeNull();
    for (const url of [
      `http://127.0.0.1:${port}/`,
      `http://localhost:${samplePort}/`,
      `http://127.0.0.2:${samplePort}/`,
      `http://[::ffff:127.0.0.1]:${samplePort}/`,
    ]) {
      expect(await targetProblem(url, rules, resolveAll([dns.server])), url).not.toBeNull();
      expect((await call(url, allowing)).failure, url).toBe('refused');
    }
  });
});
