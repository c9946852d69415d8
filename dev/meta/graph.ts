/** The Graph API: `/<version>/<object>[/<edge>]`, as far as numbers of WhatsApp need it. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { badParameter, GraphError, noSuchObject } from './errors.ts';
import { readAccount, readNumber } from './node.ts';
import { addNumber, deregister, editNumber, register, requestCode, verifyCode } from './numbers.ts';
import type { Parameters } from './parameters.ts';
import { readProfile, writeProfile } from './profile.ts';
import type { Simulation } from './simulation.ts';
import type { Account, PhoneNumber } from './state.ts';
import { checkedToken, debugToken, tokenOf } from './tokens.ts';

/** Of an upload in one piece. */
const MAX_BODY_BYTES = 20 * 1024 * 1024;
const PAGE_SIZE = 25;

interface Call {
  method: string;
  object: string;
  edge: string;
  params: Parameters;
  /** Of an upload. */
  bytes: Buffer;
  headers: FastifyRequest['headers'];
  /** Of the token. */
  wabaId: string;
}

export function graphRoutes(app: FastifyInstance, simulation: Simulation): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer', bodyLimit: MAX_BODY_BYTES },
    async (_: unknown, body: unknown) => body,
  );
  app.setErrorHandler((error, _request, reply) => {
    const told =
      error instanceof GraphError ? error : new GraphError(1, { message: (error as Error).message });
    return reply.code(told.status).send(told.body());
  });
  app.route({
    method: ['GET', 'POST', 'DELETE'],
    url: '/*',
    handler: async (request, reply) => {
      const path = request.url.split('?', 1)[0] ?? '';
      const params = parametersOf(request);
      const { access_token: _token, appsecret_proof: _proof, input_token: _input, ...shown } = params;
      const record = { at: new Date().toISOString(), method: request.method, path, params: shown };
      try {
        const answer = await simulation.failures.around(request.method, path, () =>
          respond(simulation, request, path, params),
        );
        simulation.recordCall({ ...record, status: 200, code: null });
        return reply.send(answer);
      } catch (error) {
        const { status = 500, code = 1 } = error instanceof GraphError ? error : {};
        simulation.recordCall({ ...record, status, code });
        throw error;
      }
    },
  });
}

function respond(simulation: Simulation, request: FastifyRequest, path: string, params: Parameters): object {
  const [, version = '', object = '', edge = '', ...rest] = path.split('/').map(decodeURIComponent);
  if (!/^v\d+\.\d+$/.test(version) || object === '' || rest.length > 0)
    throw new GraphError(2500, { message: `Unknown path components: ${path}` });
  const token = tokenOf(request, params);
  if (object === 'debug_token') return debugToken(simulation, token, params);
  const { method, headers } = request;
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const { wabaId } = checkedToken(simulation, token, params);
  const call: Call = { method, object, edge, params, bytes, headers, wabaId };
  if (object.startsWith('upload:')) return continueUpload(simulation, call);
  if (object === 'me')
    return { id: `${wabaId}1`, name: `System user of ${simulation.account(wabaId)?.name}` };
  if (object === simulation.options.appId && method === 'POST' && edge === 'uploads')
    return { id: simulation.uploads.open(wabaId, params) };
  const account = object === wabaId ? simulation.account(wabaId) : undefined;
  if (account) return onAccount(simulation, account, call);
  const number = simulation.number(object);
  if (number?.wabaId === wabaId) return onNumber(simulation, number, call);
  throw noSuchObject(method, object);
}

function onAccount(simulation: Simulation, account: Account, { method, object, edge, params }: Call): object {
  const { appId } = simulation.options;
  switch (`${method} ${edge}`) {
    case 'GET ':
      return readAccount(simulation, account, params);
    case 'GET phone_numbers':
      return listNumbers(simulation, account, params);
    case 'POST phone_numbers':
      return addNumber(simulation, account.wabaId, params);
    case 'GET subscribed_apps': {
      const app = {
        id: appId,
        name: 'Number approval',
        link: `https://www.facebook.com/games/?app_id=${appId}`,
      };
      return { data: account.subscribed ? [{ whatsapp_business_api_data: app }] : [] };
    }
    case 'POST subscribed_apps':
    case 'DELETE subscribed_apps':
      account.subscribed = method === 'POST';
      simulation.changed();
      return { success: true };
    default:
      throw noSuchObject(method, object);
  }
}

function onNumber(
  simulation: Simulation,
  number: PhoneNumber,
  { method, object, edge, params }: Call,
): object {
  switch (`${method} ${edge}`) {
    case 'GET ':
      return readNumber(simulation, number, params);
    case 'POST ':
      return editNumber(simulation, number, params);
    case 'POST request_code':
      return requestCode(simulation, number, params);
    case 'POST verify_code':
      return verifyCode(simulation, number, params);
    case 'POST register':
      return register(simulation, number, params);
    case 'POST deregister':
      return deregister(simulation, number);
    case 'GET whatsapp_business_profile':
      return readProfile(simulation, number, params);
    case 'POST whatsapp_business_profile':
      return writeProfile(simulation, number, params);
    default:
      throw noSuchObject(method, object);
  }
}

/** Numbers of an account, by pages: `limit`, `after`. */
function listNumbers(simulation: Simulation, { wabaId }: Account, params: Parameters): object {
  const own = simulation.state.numbers.filter((number) => number.wabaId === wabaId);
  const limit = Math.min(Math.max(Number(params['limit'] ?? PAGE_SIZE) || PAGE_SIZE, 1), 100);
  const after =
    typeof params['after'] === 'string' ? Buffer.from(params['after'], 'base64url').toString() : null;
  const start = after === null ? 0 : own.findIndex(({ id }) => id === after) + 1;
  const page = own.slice(start, start + limit);
  const cursor = (number: PhoneNumber | undefined) => Buffer.from(number?.id ?? '').toString('base64url');
  const cursors = { before: cursor(page[0]), after: cursor(page.at(-1)) };
  const next = `${simulation.url}/v26.0/${wabaId}/phone_numbers?limit=${limit}&after=${cursors.after}`;
  return {
    data: page.map((number) => readNumber(simulation, number, params)),
    ...(page.length > 0 && { paging: { cursors, ...(start + limit < own.length && { next }) } }),
  };
}

function continueUpload(simulation: Simulation, { method, object, params, bytes, headers }: Call): object {
  const { uploads } = simulation;
  if (!/^OAuth\s/.test(headers.authorization ?? ''))
    throw new GraphError(190, { message: 'Uploads are authorized by "Authorization: OAuth <token>"' });
  if (method === 'GET')
    return { id: `${object}?sig=${params['sig']}`, file_offset: uploads.offset(object, params['sig']) };
  const offset = Number(headers['file_offset']);
  if (!Number.isInteger(offset)) throw badParameter('The header file_offset is required');
  return uploads.write(object, params['sig'], offset, bytes);
}

function parametersOf(request: FastifyRequest): Parameters {
  const query = request.query as Parameters;
  const body = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const type = request.headers['content-type'] ?? '';
  if (request.url.includes('/upload:') || body.length === 0) {
    return body.length === 0 ? query : { ...query, bytes: body.length };
  }
  if (type.includes('json')) {
    try {
      return { ...query, ...(JSON.parse(body.toString()) as Parameters) };
    } catch {
      throw badParameter('The body is not JSON');
    }
  }
  return { ...query, ...Object.fromEntries(new URLSearchParams(body.toString())) };
}
