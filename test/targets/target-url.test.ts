import { describe, expect, it } from 'vitest';
import { isPublic, type Resolve, targetProblem } from '../../targets/target-url.ts';

const problemOf = (url: string, resolve: Resolve) => targetProblem(url, { sampleEndpoint: null }, resolve);

const answering =
  (...addresses: string[]) =>
  async () =>
    addresses.map((address) => ({ address }));

describe('literal addresses', () => {
  it.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://0177.0.0.1/',
    'https://0.0.0.0/',
    'https://10.0.0.1/',
    'https://172.16.0.1/',
    'https://192.168.1.1:8443/x',
    'https://169.254.169.254/latest/meta-data',
    'https://100.64.0.1/',
    'https://192.0.2.1/',
    'https://198.18.0.1/',
    'https://224.0.0.1/',
    'https://240.0.0.1/',
    'https://255.255.255.255/',
    'https://[::]/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[::127.0.0.1]/',
    'https://[::8.8.8.8]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[64:ff9b::10.0.0.1]/',
    'https://[64:ff9b:1::1]/',
    'https://[2002:7f00:1::]/',
    'https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/',
    'https://[fe80::1]/',
    'https://[fec0::1]/',
    'https://[fc00::1]/',
    'https://[fd12:3456::1]/',
    'https://[ff02::1]/',
    'https://[2001:db8::1]/',
  ])('refuses %s', async (url) => {
    expect(await problemOf(url, answering('8.8.8.8'))).toMatch(/private, local or reserved/);
  });

  it.each([
    'https://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
    'https://[::ffff:8.8.8.8]/',
    'https://[64:ff9b::8.8.8.8]/',
    'https://[2002:808:808::1]/',
  ])('takes %s', async (url) => {
    expect(await problemOf(url, answering('127.0.0.1'))).toBeNull();
  });
});

describe('names', () => {
  it.each([
    'localhost',
    'localhost.',
    'LOCALHOST',
    'api.localhost',
    'printer.local',
    'db.internal',
    'db.internal.',
  ])('refuses %s whatever DNS says', async (name) => {
    expect(await problemOf(`https://${name}/`, answering('8.8.8.8'))).toMatch(/private network/);
  });

  it('refuses a name of which one answer is not public', async () => {
    expect(await problemOf('https://example.com/', answering('8.8.8.8', '10.0.0.1'))).not.toBeNull();
    expect(await problemOf('https://example.com/', answering('::ffff:10.0.0.1'))).not.toBeNull();
    expect(await problemOf('https://example.com/', answering('8.8.8.8', '2606:4700::1'))).toBeNull();
  });

  it('takes a name that does not resolve, or not in time', async () => {
    const fails = () => Promise.reject(new Error('ENOTFOUND'));
    const hangs = () => new Promise<never>(() => {});
    expect(await problemOf('https://example.com/', fails)).toBeNull();
    expect(await problemOf('https://example.com/', hangs)).toBeNull();
  });

  it('refuses names without a dot: only a private network knows them', async () => {
    for (const name of ['postgres', 'temporal.', 'ai']) {
      expect(await problemOf(`https://${name}/`, answering('8.8.8.8'))).not.toBeNull();
    }
  });

  it('takes names that only look local', async () => {
    for (const name of ['localhost.example.com', 'mylocal.example', 'internal.example.com']) {
      expect(await problemOf(`https://${name}/`, answering('8.8.8.8'))).toBeNull();
    }
  });
});

it('judges what is no address as not public', () => {
  expect(isPublic('example.com')).toBe(false);
  expect(isPublic('fe80::1%eth0')).toBe(false);
});
