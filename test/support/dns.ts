/** A name server over UDP that answers A and AAAA as it is told to, as RFC 1035 has it. */
import { createSocket } from 'node:dgram';
import type { AddressInfo } from 'node:net';
import ipaddr from 'ipaddr.js';

export interface TestDns {
  /** `address:port`, for a resolver. */
  server: string;
  /** Questions that came, as `A name`. */
  asked: string[];
  /** The addresses of a name from now on; a function is asked each time. */
  answer(name: string, addresses: string[] | (() => string[])): void;
  /** Questions like `AAAA name` are left without an answer from now on. */
  ignore(question: string): void;
  close(): Promise<void>;
}

const TYPES: Record<number, string> = { 1: 'A', 28: 'AAAA' };

export async function startDns(): Promise<TestDns> {
  const names = new Map<string, string[] | (() => string[])>();
  const asked: string[] = [];
  const ignored = new Set<string>();
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, type, end } = questionOf(query);
    const question = `${TYPES[type] ?? type} ${name}`;
    asked.push(question);
    if (ignored.has(question)) return;
    const known = names.get(name) ?? [];
    const addresses = (typeof known === 'function' ? known() : known)
      .map((address) => Buffer.from(ipaddr.parse(address).toByteArray()))
      .filter(({ length }) => length === (type === 1 ? 4 : 16));
    socket.send(answerTo(query, end, type, addresses), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return {
    server: `127.0.0.1:${(socket.address() as AddressInfo).port}`,
    asked,
    answer: (name, addresses) => names.set(name, addresses),
    ignore: (question) => ignored.add(question),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}

function questionOf(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += length + 1;
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 };
}

function answerTo(query: Buffer, end: number, type: number, addresses: Buffer[]): Buffer {
  const header = Buffer.from(query.subarray(0, 12));
  header.writeUInt16BE(0x8180, 2);
  header.writeUInt16BE(addresses.length, 6);
  header.writeUInt32BE(0, 8);
  const records = addresses.map((address) => {
    const record = Buffer.alloc(12);
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(type, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt16BE(address.length, 10);
    return Buffer.concat([record, address]);
  });
  return Buffer.concat([header, query.subarray(12, end), ...records]);
}
