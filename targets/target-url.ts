/**
 * Whether a customer's URL is safe to call: never this machine, its network or anything else that is not
 * public. Judged when it is saved, on the literal and on what DNS answers; and again at each call.
 */
import { Resolver } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import type { Config } from '../contract/config.ts';
import { within } from '../contract/within.ts';

export type Resolve = (host: string) => Promise<{ address: string }[]>;

const DNS_DEADLINE_MS = 2_500;
/** For each kind of address; where there is an IPv4 address, IPv6 is waited for so long only. */
const FAMILY_DEADLINE_MS = 2_000;
const IPV6_GRACE_MS = 300;
/** Names that mean "here", whatever DNS says: also every name without a dot. */
const LOCAL_NAME = /(^|\.)(localhost|local|internal)$|^[^.:]+$/;
const GLOBAL_IPV6 = ipaddr.IPv6.parseCIDR('2000::/3');
const NOT_PUBLIC = 'The address is private, local or reserved; send a URL that the internet can reach.';

/** Which URLs are taken beside public https ones. */
export interface UrlRules {
  allowHttp: boolean;
  /** `host:port` of the sample endpoint of the development stack, which is on this machine; null elsewhere. */
  sampleEndpoint: string | null;
}

/** Nothing but public https addresses in production. */
export function urlRules(config: Pick<Config, 'NODE_ENV' | 'ALLOW_HTTP_URLS' | 'SAMPLE_ENDPOINT'>): UrlRules {
  const development = config.NODE_ENV === 'development';
  return {
    allowHttp: config.NODE_ENV !== 'production' && (config.ALLOW_HTTP_URLS ?? development),
    sampleEndpoint: (config.NODE_ENV !== 'production' && config.SAMPLE_ENDPOINT) || null,
  };
}

/** What is wrong with the URL as a target, or null. A name that does not resolve now is taken. */
export async function targetProblem(
  url: string,
  { sampleEndpoint }: Pick<UrlRules, 'sampleEndpoint'> = { sampleEndpoint: null },
  resolve: Resolve = resolveAll(),
): Promise<string | null> {
  const target = new URL(url);
  if (isSample(target, sampleEndpoint)) return null;
  const judged = await judge(target.hostname, resolve);
  return 'problem' in judged && judged.problem !== UNRESOLVED ? judged.problem : null;
}

const UNRESOLVED = 'The name does not resolve.';

/** The addresses that a host is at, all of them public; or what is wrong with it. */
export async function judge(
  hostname: string,
  resolve: Resolve,
): Promise<{ addresses: string[] } | { problem: string }> {
  // The WHATWG parser writes every literal in its one true form: 127.1, 0x7f000001, [::ffff:7f00:1].
  const host = hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (LOCAL_NAME.test(host)) {
    return { problem: `${host} is a name of a private network; send a public address.` };
  }
  const answers = ipaddr.isValid(host)
    ? [{ address: host }]
    : await within(DNS_DEADLINE_MS, resolve(host)).catch(() => []);
  if (answers.length === 0) return { problem: UNRESOLVED };
  const addresses = answers.map(({ address }) => address);
  return addresses.every(isPublic) ? { addresses } : { problem: NOT_PUBLIC };
}

export function isSample(
  { hostname, port }: { hostname: string; port: string },
  sampleEndpoint: string | null,
): boolean {
  return sampleEndpoint !== null && `${hostname}:${port}` === sampleEndpoint;
}

/** Whether an address is public, also the IPv4 address inside a mapped or translated one. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed instanceof ipaddr.IPv6) {
    const embedded = embeddedIPv4(parsed);
    if (embedded) return embedded.range() === 'unicast';
    // IPv4-compatible addresses (::a.b.c.d) are long deprecated, and ipaddr.js takes them for unicast.
    if (parsed.parts.slice(0, 6).every((part) => part === 0)) return false;
    // The rest of unicast is not assigned.
    if (!parsed.match(GLOBAL_IPV6)) return false;
  }
  return parsed.range() === 'unicast';
}

/** The IPv4 address that a packet would reach: IPv4-mapped, NAT64 and 6to4. Teredo counts as not public. */
function embeddedIPv4(address: ipaddr.IPv6): ipaddr.IPv4 | null {
  const bytes = address.toByteArray();
  switch (address.range()) {
    case 'ipv4Mapped':
      return address.toIPv4Address();
    case 'rfc6052':
      return new ipaddr.IPv4(bytes.slice(12));
    case '6to4':
      return new ipaddr.IPv4(bytes.slice(2, 6));
    default:
      return null;
  }
}

/**
 * Asks the name servers itself, those of the system unless others are named. The system's `lookup` would wait for a
 * silent one in the few threads that connections to the database need, too. What is silent about IPv6 only does not
 * matter: nothing is connected to that was not judged.
 */
export function resolveAll(servers?: string[]): Resolve {
  const resolver = new Resolver({ timeout: 1_000, tries: 2 });
  if (servers) resolver.setServers(servers);
  return async (host) => {
    const answerOf = (answer: Promise<string[]>) => within(FAMILY_DEADLINE_MS, answer).catch(() => []);
    const ipv6 = answerOf(resolver.resolve6(host));
    const ipv4 = await answerOf(resolver.resolve4(host));
    const others = ipv4.length > 0 ? within(IPV6_GRACE_MS, ipv6).catch(() => []) : ipv6;
    return [...ipv4, ...(await others)].map((address) => ({ address }));
  };
}
