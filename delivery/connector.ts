/** Connections to customers: to public addresses only, to the very address that was judged. */
import { isIP } from 'node:net';
import { buildConnector } from 'undici';
import { isSample, judge, type Resolve, type UrlRules } from '../targets/target-url.ts';

/** The URL is one that may not be called; nothing was connected to. */
export class TargetRefused extends Error {
  override name = 'TargetRefused';
}

/** Addresses of a name that are tried. */
const TRIED = 3;
const CONNECT_MS = 5_000;

export function guardedConnector(rules: UrlRules, resolve: Resolve): buildConnector.connector {
  const connect = buildConnector({ timeout: CONNECT_MS, allowH2: false });

  async function addressesOf({ protocol, hostname, port }: buildConnector.Options): Promise<string[]> {
    if (isSample({ hostname, port }, rules.sampleEndpoint)) return [hostname];
    if (protocol !== 'https:' && !rules.allowHttp) throw new TargetRefused('Only https is called.');
    const judged = await judge(hostname, resolve);
    if ('problem' in judged) throw new TargetRefused(judged.problem);
    // Many machines have no way to the IPv6 internet.
    return judged.addresses.toSorted((one, other) => isIP(one) - isIP(other)).slice(0, TRIED);
  }

  return (options, callback) => {
    const { protocol, hostname } = options;
    const servername = isIP(hostname) === 0 ? hostname.replace(/\.$/, '') : '';
    function tryNext([address = '', ...others]: string[]): void {
      const pinned = { ...options, hostname: address, ...(protocol === 'https:' && { servername }) };
      connect(pinned, (error, socket) => {
        if (!error) callback(null, socket);
        else if (others.length > 0) tryNext(others);
        else callback(error, null);
      });
    }
    addressesOf(options).then(tryNext, (error) => callback(error, null));
  };
}
