/**
 * How many requests are taken within a minute: of one address, of one key or person, and of those where something
 * could be guessed. Counted in this process's memory; several API processes take as many times that.
 */
import rateLimit, { normalizeIP, type RateLimitOptions } from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Counter, type Registry } from 'prom-client';
import type { Config } from '../contract/config.ts';
import { ProblemError } from './problems.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * `sign-in`: for routes where a password, a code or a token could be guessed: an address gets
     * SIGN_INS_PER_MINUTE tries over all of them. `none`: never refused, for health checks.
     */
    limit?: 'sign-in' | 'none';
  }
}

const WINDOW_SECONDS = 60;
/** Addresses, or keys and people, that each limit remembers; the one seen longest ago is forgotten first. */
const REMEMBERED = 50_000;
/** A provider gives each of its customers that much of an address. */
const IPV6_SUBNET = 64;

type Check = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

/** Hooks for before and after it is known who calls. They refuse with `rate_limited`. */
export interface Limits {
  ofAddress: Check;
  ofCaller: Check;
}

export async function createLimits(
  app: FastifyInstance,
  config: Config,
  registry: Registry,
): Promise<Limits> {
  await app.register(rateLimit, { global: false, timeWindow: WINDOW_SECONDS * 1000 });
  const refused = new Counter({
    name: 'http_requests_limited_total',
    help: 'Requests refused as too many, by limit',
    labelNames: ['limit'],
    registers: [registry],
  });

  function limit(max: number, keyGenerator: (request: FastifyRequest) => string, nameOf: NameOf): Check {
    const options: RateLimitOptions = { max, keyGenerator, cache: REMEMBERED };
    const count = app.createRateLimit(options);
    return async (request, reply) => {
      const left = await count(request);
      // True only for a list of those who are never counted, and there is none.
      if (left.isAllowed) return;
      const name = nameOf(request);
      const { remaining, ttlInSeconds } = left;
      tell(reply, 'ratelimit-policy', `"${name}";q=${max};w=${WINDOW_SECONDS}`);
      tell(reply, 'ratelimit', `"${name}";r=${remaining};t=${ttlInSeconds}`);
      if (!left.isExceeded) return;
      refused.inc({ limit: name });
      throw new ProblemError('rate_limited', {
        fact: `${WHAT[name]}: at most ${max} a minute.`,
        headers: { 'retry-after': String(ttlInSeconds) },
      });
    };
  }

  const address = limit(config.RATE_LIMIT_ADDRESS_PER_MINUTE, addressOf, () => 'address');
  const signIn = limit(config.SIGN_INS_PER_MINUTE, addressOf, () => 'sign-in');
  const caller = limit(config.RATE_LIMIT_PER_MINUTE, callerKey, ({ session }) =>
    session ? 'person' : 'key',
  );
  return {
    async ofAddress(request, reply) {
      const kind = request.routeOptions.config.limit;
      if (kind === 'none') return;
      await address(request, reply);
      if (kind === 'sign-in') await signIn(request, reply);
    },
    async ofCaller(request, reply) {
      if (request.caller ?? request.session) await caller(request, reply);
    },
  };
}

type Name = 'address' | 'sign-in' | 'key' | 'person';
type NameOf = (request: FastifyRequest) => Name;

const WHAT: Record<Name, string> = {
  address: 'Requests of one address',
  'sign-in': 'Tries of one address to sign in, or to use a code or a link',
  key: 'Requests with one key',
  person: 'Requests of one person',
};

/** An IPv4 address, or the network of an IPv6 one. A connection that is gone already has none. */
function addressOf({ ip }: { ip: string | undefined }): string {
  return normalizeIP(ip ?? '', IPV6_SUBNET);
}

/** The key, or the person of a session, whichever session it is. */
function callerKey({ caller, session }: FastifyRequest): string {
  return caller?.keyId ?? session?.person.id ?? '';
}

/** Structured fields of draft-ietf-httpapi-ratelimit-headers-10: lists, here with what is closest to the caller first. */
function tell(reply: FastifyReply, header: 'ratelimit' | 'ratelimit-policy', item: string): void {
  const others = reply.getHeader(header);
  reply.header(header, others === undefined ? item : `${item}, ${String(others)}`);
}
