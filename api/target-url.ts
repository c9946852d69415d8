/**
 * Whether a customer's URL is safe to call: never this machine, its network or anything else that is not
 * public. Judged here when it is saved, on the literal and on what DNS answers; and again at each call.
 */
import { Resolver } from 'node:dns/promises';
import ipaddr from 'ipaddr.js';
import { within } from './within.ts';

type Resolve = (host: string) => Promise<{ address: string }[]>;

const DNS_DEADLINE_MS = 2_500;
/** Names that mean "here", whatever DNS says: also every name without a dot. */
const LOCAL_NAME = /(^|\.)(localhost|local|internal)$|^[^.:]+$/;
/**
 * Asks the name servers itself. The system's `lookup` would wait for a silent one in the few threads that
 * connections to the database need, too.
 */
const resolver = new Resolver({ timeout: 1_000, tries: 2 });

/** What is wrong with the URL as a target, or null. A name that does not resolve now is taken. */
export async function targetProblem(url: string, resolve: Resolve = resolveAll): Promise<string | null> {
  // The WHATWG parser writes every literal in its one true form: 127.1, 0x7f000001, [::ffff:7f00:1].
  const host = new URL(url).hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase();
  if (LOCAL_NAME.test(host)) return `${host} is a name of a private network; send a public address.`;
  const addresses = ipaddr.isValid(host) ? [{ address: host }] : await resolved(host, resolve);
  return addresses.every(({ address }) => isPublic(address))
    ? null
    : 'The address is private, local or reserved; send a URL that the internet can reach.';
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

async function resolved(host: string, resolve: Resolve): Promise<{ address: string }[]> {
  return within(DNS_DEADLINE_MS, resolve(host)).catch(() => []);
}

async function resolveAll(host: string): Promise<{ address: string }[]> {
  const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
  return answers.flatMap((answer) =>
    answer.status === 'fulfilled' ? answer.value.map((address) => ({ address })) : [],
  );
}
