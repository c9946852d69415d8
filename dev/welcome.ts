import type { Credentials, Role } from './credentials.ts';

const PEOPLE = {
  customer: 'customer',
  otherCustomer: 'other customer',
  support: 'support',
  otherSupport: 'other support',
  operator: 'operator',
} satisfies Record<Role, string>;

/** One screen: where everything is, and the keys. */
export function welcome(credentials: Credentials, stack: string): string {
  const { apiUrl, temporalUiUrl, temporalAddress, mailUrl, databaseUrl } = credentials;
  const database = new URL(databaseUrl);
  if (database.password !== '') database.password = '***';
  const addresses = [
    ['API', apiUrl],
    ['API reference', `${apiUrl}/docs`],
    ['Inbox', mailUrl ?? 'none: mail goes to SMTP_URL'],
    ['Temporal UI', temporalUiUrl ?? 'none: set TEMPORAL_UI_URL'],
    ['Temporal', temporalAddress],
    ['PostgreSQL', database.href],
  ] as const;
  const keys = (Object.entries(PEOPLE) as [Role, string][]).map(
    ([role, name]) => `  ${name.padEnd(16)}${credentials[role].email.padEnd(32)}${credentials[role].apiKey}`,
  );
  return [
    '',
    'Number approval is running.',
    '',
    ...addresses.map(([name, address]) => `  ${name.padEnd(16)}${address}`),
    '',
    'API keys (Authorization: Bearer …)',
    '',
    ...keys,
    '',
    `All of it, for programs, is in ${stack}/credentials.json; logs are in ${stack}/logs.`,
    'Watch a number through its life: npm run tour     Stop: Ctrl-C     Wipe everything: npm run reset',
    '',
  ].join('\n');
}
