/** The client against servers that answer as Meta never should, and what its errors tell. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { createGraph } from '../../meta/graph.ts';
import { GraphError } from '../../meta/graph-error.ts';
import { meaningOf } from '../../meta/meanings.ts';

const TOKEN = 'EAAaTokenThatNobodyMayRead';

async function graphOf(answer: RequestListener, deadline = 10_000) {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return createGraph({
    url,
    appId: '1',
    appSecret: 'app-secret',
    deadlines: { call: deadline, upload: deadline },
  });
}

async function refused(work: Promise<unknown>): Promise<GraphError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!(error instanceof GraphError)) throw new Error('not refused');
  return error;
}

const answering =
  (status: number, body: string, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) => {
    response.writeHead(status, headers).end(body);
  };

test('no redirect is followed', async () => {
  let calls = 0;
  const graph = await graphOf((request, response) => {
    calls += 1;
    response.writeHead(302, { location: `http://${request.headers.host}/elsewhere` }).end();
  });
  expect(await refused(graph.readNumber(TOKEN, '1'))).toMatchObject({ code: null, status: 302 });
  expect(calls).toBe(1);
});

test('an answer that is too large, no JSON or of another form is trouble', async () => {
  const large = await graphOf(answering(200, `"${'x'.repeat(2 * 1024 * 1024)}"`));
  expect(meaningOf(await refused(large.readNumber(TOKEN, '1')))).toMatchObject({ kind: 'passes' });
  const html = await graphOf(answering(502, '<html>Bad gateway</html>'));
  expect(meaningOf(await refused(html.readNumber(TOKEN, '1')))).toMatchObject({ kind: 'passes' });
  const other = await graphOf(answering(200, '{"id": "not a number"}'));
  expect(await refused(other.readNumber(TOKEN, '1'))).toMatchObject({ status: 200 });
  const notDone = await graphOf(answering(200, '{"success": false}'));
  expect(await refused(notDone.register(TOKEN, '1', '123456'))).toMatchObject({ status: 200 });
});

test('a server that does not answer is given up at the deadline', async () => {
  const graph = await graphOf(() => {}, 50);
  expect(await refused(graph.readNumber(TOKEN, '1'))).toMatchObject({
    status: null,
    details: 'TimeoutError',
  });
});

test('what Meta repeats of a call is not told: token, code, PIN, long numbers', async () => {
  const said = `Malformed access token ${TOKEN} of +1 14155550123 with PIN 271828, not EAAanotherToken1`;
  const error = { code: 131009, message: said, fbtrace_id: 'A1', error_data: { details: said } };
  const graph = await graphOf(answering(400, JSON.stringify({ error })));
  const told = JSON.stringify(
    await refused(graph.register(TOKEN, '1', '271828')).then((e) => [e, e.details, e.stack]),
  );
  for (const secret of [TOKEN, '271828', '14155550123', 'EAAanotherToken1'])
    expect(told).not.toContain(secret);
  expect(told).toContain('…0123');
});

test('rate limits wait as long as Meta says', async () => {
  const body = JSON.stringify({ error: { code: 80007, message: 'x' } });
  const usage = '{"1":[{"type":"whatsapp","call_count":100,"estimated_time_to_regain_access":19}]}';
  const byUsage = await graphOf(answering(400, body, { 'x-business-use-case-usage': usage }));
  expect(meaningOf(await refused(byUsage.readNumber(TOKEN, '1')))).toEqual({
    kind: 'passes',
    isOfConnection: true,
    waitMs: 19 * 60_000,
  });
  const byHeader = await graphOf(answering(400, body, { 'retry-after': '7' }));
  expect(meaningOf(await refused(byHeader.readNumber(TOKEN, '1')))).toEqual({
    kind: 'passes',
    isOfConnection: true,
    waitMs: 7_000,
  });
  const plain = await graphOf(answering(400, body));
  expect(meaningOf(await refused(plain.readNumber(TOKEN, '1')))).toEqual({
    kind: 'passes',
    isOfConnection: true,
    waitMs: 300_000,
  });
});

test('a pause that the details name is kept', async () => {
  const error = { code: 133009, message: 'x', error_data: { details: 'Please wait for 25 minutes.' } };
  const graph = await graphOf(answering(400, JSON.stringify({ error })));
  expect(meaningOf(await refused(graph.register(TOKEN, '1', '123456')))).toMatchObject({
    waitMs: 25 * 60_000,
  });
});

test('a field that this version has no more is left out', async () => {
  const asked: string[] = [];
  const graph = await graphOf((request, response) => {
    const fields = new URL(request.url ?? '', 'http://x').searchParams.get('fields') ?? '';
    asked.push(fields);
    const gone = ['messaging_limit_tier', 'new_display_name'].find((field) => fields.includes(field));
    const error = {
      code: 100,
      message: `(#100) Tried accessing nonexisting field (${gone}) on node type (X)`,
    };
    response
      .writeHead(gone ? 400 : 200)
      .end(JSON.stringify(gone ? { error } : { id: '7', status: 'CONNECTED' }));
  });
  expect(await graph.readNumber(TOKEN, '7')).toMatchObject({ status: 'CONNECTED' });
  expect(asked).toHaveLength(3);
});

test('a number is found on a later page', async () => {
  const graph = await graphOf((request, response) => {
    const after = new URL(request.url ?? '', 'http://x').searchParams.get('after');
    const page = after
      ? { data: [{ id: '2', display_phone_number: '+1 415-555-0199' }], paging: { cursors: { after: 'b' } } }
      : {
          data: [{ id: '1', display_phone_number: '+1 415-555-0100' }],
          paging: { cursors: { after: 'a' }, next: 'https://graph.example/next' },
        };
    response.end(JSON.stringify(page));
  });
  expect(await graph.findNumber(TOKEN, '9', '14155550199')).toMatchObject({ id: '2' });
  expect(await graph.findNumber(TOKEN, '9', '14155550111')).toBeNull();
});

test('a number is found as Meta may write it, and none that only looks like it', async () => {
  const shown = ['+55 64 8123-4567', '+225 12 34 56 78', '+225 07 99 99 99 99', '+54 11 2345 6789'];
  const data = shown.map((display_phone_number, index) => ({ id: `${index}`, display_phone_number }));
  const graph = await graphOf(answering(200, JSON.stringify({ data })));
  const found = async (digits: string) => (await graph.findNumber(TOKEN, '9', digits))?.id;
  expect(await found('5564981234567')).toBe('0');
  expect(await found('2250712345678')).toBe('1');
  expect(await found('5491123456789')).toBe('3');
  for (const other of ['5511981234567', '2250599999999', '5564981234568']) {
    expect(await found(other), other).toBeUndefined();
  }
});
