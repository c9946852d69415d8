import type { Credentials, Role } from './credentials.ts';

const PEOPLE = {
  customer: 'customer',
  otherCustomer: 'other customer',
  support: 'support',
  otherSupport: 'other support',
  operator: 'operator',
} satisfies Record<Role, string>;

/** One screen: where everything is, the keys, and how to sign in. */
export function welcome(credentials: Credentials, stack: string): string {
  const { apiUrl, temporalUiUrl, temporalAddress, mailUrl, databaseUrl, metaUrl, endpointUrl } = credentials;
  const database = new URL(databaseUrl);
  if (database.password !== '') database.password = '***';
  const addresses = [
    ['API', apiUrl],
    ['API reference', `${apiUrl}/docs`],
    ['Inbox', mailUrl ?? 'none: mail goes to SMTP_URL'],
    ['Meta', metaUrl],
    ['Sample endpoint', endpointUrl],
    ['Temporal UI', temporalUiUrl ?? 'none: set TEMPORAL_UI_URL'],
    ['Temporal', temporalAddress],
    ['PostgreSQL', database.href],
  ] as const;
  const people = (Object.entries(PEOPLE) as [Role, string][]).map(([role, name]) => {
    const { email, password, apiKey } = credentials[role];
    return `  ${name.padEnd(16)}${email.padEnd(32)}${password.padEnd(18)}${apiKey}`;
  });
  return [
    '',
    'Number approval is running.',
    '',
    ...addresses.map(([name, address]) => `  ${name.padEnd(16)}${address}`),
    '',
    'People: to sign in with (POST /v1/session), and API keys (Authorization: Bearer …)',
    '',
    ...people,
    '',
    `All of it, for programs, is in ${stack}/credentials.json; logs are in ${stack}/logs.`,
    'Watch a number through its life: npm run tour     Stop: Ctrl-C     Wipe everything: npm run reset',
    '',
  ].join('\n');
}
