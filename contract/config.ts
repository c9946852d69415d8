/** Configuration from the environment, one schema. A wrong value is one clear line that names the variable. */
import { IANAZone } from 'luxon';
import { z } from 'zod';
import { BUSINESS_CATEGORIES, type BusinessCategory } from './categories.ts';

/** A port; 0 lets the system pick a free one. */
const port = z.coerce.number().int().min(0).max(65535);
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const authSecret = z.string().min(32, 'at least 32 characters: `openssl rand -hex 32` makes some');
/** Comma-separated addresses. */
const addresses = z.string().transform(list).pipe(z.array(z.email()));

/** Comma-separated origins. */
const origins = z
  .string()
  .transform(list)
  .pipe(
    z.array(
      z.string().refine((origin) => URL.parse(origin)?.origin === origin, 'origins like https://example.com'),
    ),
  );

function list(value: string): string[] {
  return value
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}

function isTimeZone(name: string): boolean {
  return IANAZone.isValidZone(name);
}

const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];

/** ISO weekdays, 1 for Monday. */
function readDays(value: string, context: z.RefinementCtx): number[] {
  const days = list(value.toLowerCase()).flatMap((part) => {
    const [from = '', to = from] = part.split('-').map((day) => day.trim());
    const [first, last] = [DAYS.indexOf(from), DAYS.indexOf(to)];
    return first < 0 || last < first ? [0] : DAYS.slice(first, last + 1).map((day) => DAYS.indexOf(day) + 1);
  });
  if (days.length > 0 && !days.includes(0)) return [...new Set(days)].sort();
  context.addIssue({ code: 'custom', message: 'days like mon-fri or mon,tue,sat' });
  return z.NEVER;
}

/** Minutes since midnight. */
export interface Hours {
  from: number;
  to: number;
}

function readHours(value: string, context: z.RefinementCtx): Hours {
  const [, ...parts] = /^([01]\d|2[0-4]):([0-5]\d)\s*-\s*([01]\d|2[0-4]):([0-5]\d)$/.exec(value.trim()) ?? [];
  const [h1 = 0, m1 = 0, h2 = 0, m2 = 0] = parts.map(Number);
  const hours = { from: h1 * 60 + m1, to: h2 * 60 + m2 };
  if (parts.length === 4 && hours.from < hours.to && hours.to <= 24 * 60) return hours;
  context.addIssue({ code: 'custom', message: 'hours like 09:00-17:30' });
  return z.NEVER;
}

function readCategories(value: string, context: z.RefinementCtx): BusinessCategory[] {
  const names = value.trim() === 'none' ? [] : list(value);
  const known = names.filter((name): name is BusinessCategory => Object.hasOwn(BUSINESS_CATEGORIES, name));
  if (known.length === names.length) return known;
  context.addIssue({ code: 'custom', message: 'ids of GET /v1/business-categories with commas, or none' });
  return z.NEVER;
}

/** `name@example.com`, or a name before it in angle brackets. */
const ONE_SENDER = /^(?:[^<>@\r\n]*<[^\s<>@,]+@[^\s<>@,]+>|[^\s<>@,]+@[^\s<>@,]+)$/;

/** What every process of the product knows. Temporal's own variables (`TEMPORAL_…`) are read by its SDK. */
export const configSchema = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('production'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** PostgreSQL 15 or later. */
  DATABASE_URL: z.url({
    protocol: /^postgres(ql)?$/,
    error: 'a URL like postgres://user:password@host:5432/database',
  }),
  /** Connections of one process. */
  DATABASE_POOL: z.coerce.number().int().min(2).max(200).default(16),

  TEMPORAL_ADDRESS: z.string().min(1).default('localhost:7233'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS: z.string().optional(),
  /** Where the development stack finds the Temporal UI of a server of one's own. */
  TEMPORAL_UI_URL: z.url().optional(),

  /** API. */
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port.default(3000),
  METRICS_PORT: port.default(9464),
  /** Where clients reach the API: used in `type` and `Location`. */
  PUBLIC_URL: z.url().optional(),
  /** Addresses (comma-separated, CIDR) of the proxies whose X-Forwarded-For is believed; "false" for none. */
  TRUST_PROXY: z.string().default('false'),

  /** Origins (comma-separated) whose pages may call the API with a key; no others. */
  CORS_ORIGINS: origins.optional(),
  /** Requests a minute of one key or session, and of one address for all calls together. Per API process. */
  RATE_LIMIT_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).default(1_200),
  RATE_LIMIT_ADDRESS_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).default(3_000),
  /** Tries a minute, of one address, to sign in, to reset a password or to open a link. Per API process. */
  SIGN_INS_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).default(10),
  /** Numbers that one account may submit within 24 hours. */
  SUBMISSIONS_PER_DAY: z.coerce.number().int().min(1).max(1_000_000).default(1_000),
  /** Clients of one API process that may listen to the stream at the same time. */
  STREAMS_PER_PROCESS: z.coerce.number().int().min(1).max(100_000).default(1_000),

  /**
   * People. Signs sessions and decision links, encrypts the secrets of authenticator apps and webhooks and what is kept
   * for Meta; required by API and delivery.
   */
  AUTH_SECRET: authSecret.optional(),
  /** Other secrets (comma-separated) by which that still counts: the earlier ones while AUTH_SECRET is rotated. */
  AUTH_SECRET_FALLBACKS: z.string().transform(list).pipe(z.array(authSecret)).optional(),
  /** Whether anybody may sign up and open an account; otherwise people are invited. */
  OPEN_SIGN_UP: flag.default(false),
  SESSION_HOURS: z.coerce.number().positive().max(8760).default(168),
  /** Whether staff may work without two-factor authentication. Default: must not where NODE_ENV is production. */
  STAFF_TWO_FACTOR: z.enum(['required', 'optional']).optional(),
  /** Sign-in of staff at an OpenID Connect provider; off when unset. */
  OIDC_ISSUER: z.url().optional(),
  OIDC_CLIENT_ID: z.string().optional(),
  OIDC_CLIENT_SECRET: z.string().optional(),
  /** Days between the closing of an account and the erasure of its personal fields. */
  ACCOUNT_ERASURE_DAYS: z.coerce.number().min(0).max(3_650).default(30),
  /** Days that the audit log keeps an entry; 0 keeps it for ever. */
  AUDIT_RETENTION_DAYS: z.coerce.number().int().min(0).max(3_650).default(400),

  /** Meta. Its Graph API, without a version. */
  META_GRAPH_URL: z.url({ protocol: /^https?$/ }).default('https://graph.facebook.com'),
  /** Our app there; numbers are brought to Meta by hand where it is unset. */
  META_APP_ID: z.string().regex(/^\d+$/, 'digits, as the app dashboard shows them').optional(),
  /** Secrets (comma-separated) that webhooks may be signed with: the current one first, the next one while it is rotated. */
  META_APP_SECRETS: z.string().transform(list).pipe(z.array(z.string()).min(1)).optional(),
  /** What Meta sends when the webhook is set up. */
  META_VERIFY_TOKEN: z.string().optional(),
  /** The WhatsApp Business Account of ours, for accounts that have not connected their own, and its token. */
  META_WABA_ID: z.string().regex(/^\d+$/, 'digits, as WhatsApp Manager shows them').optional(),
  META_ACCESS_TOKEN: z.string().optional(),
  /** Seconds between two readings of a number whose name is not decided; others are read once a day. */
  META_POLL_SECONDS: z.coerce.number().positive().max(86_400).default(900),
  /** Days that a connected number's name may stay undecided before support decides. */
  META_NAME_DAYS: z.coerce.number().positive().max(365).default(7),

  /** Pictures: in PostgreSQL, or in an S3-compatible store. */
  IMAGE_STORE: z.enum(['database', 's3']).default('database'),
  S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  S3_REGION: z.string().min(1).default('us-east-1'),
  S3_BUCKET: z.string().optional(),
  S3_ACCESS_KEY_ID: z.string().optional(),
  S3_SECRET_ACCESS_KEY: z.string().optional(),

  /** Mail. */
  SMTP_URL: z
    .url({ protocol: /^smtps?$/, error: 'a URL like smtp://host:25 or smtps://user:password@host:465' })
    .default('smtp://127.0.0.1:1025'),
  MAIL_FROM: z
    .string()
    .regex(ONE_SENDER, 'one address, like "Numbers <numbers@example.com>"')
    .default('WhatsApp Numbers <numbers@example.com>'),
  /** Who gets the daily review digest, and what customers comment unasked; nobody when unset. */
  SUPPORT_EMAIL: addresses.optional(),
  /** Who hears of what is overdue by three times; nobody when unset. */
  ESCALATION_EMAIL: addresses.optional(),

  /** How long a stage may wait before it is overdue. */
  VERIFICATION_DUE_HOURS: z.coerce.number().positive().max(8760).default(24),
  FACEBOOK_DUE_HOURS: z.coerce.number().positive().max(8760).default(168),
  /** Support's working time: due times count in it, and the digest comes on its days. IANA time zone. */
  WORKING_TIME_ZONE: z.string().refine(isTimeZone, 'a time zone like Europe/Rome').default('UTC'),
  /** Weekdays, e.g. "mon-fri" or "mon,tue,sat". */
  WORKING_DAYS: z.string().default('mon-sun').transform(readDays),
  /** E.g. "09:00-17:30"; "00:00-24:00" is around the clock. */
  WORKING_HOURS: z
    .string()
    .transform(readHours)
    .default({ from: 0, to: 24 * 60 }),
  /** How long a customer may take to answer a question before that is overdue; by the clock. */
  REPLY_DUE_HOURS: z.coerce.number().positive().max(8760).default(72),
  /** How long a supporter keeps a review that they have claimed. */
  CLAIM_MINUTES: z.coerce.number().positive().max(1_440).default(30),
  /** Business categories whose verification takes two supporters to approve; "none" for none. */
  FOUR_EYES_CATEGORIES: z
    .string()
    .default('ALCOHOL,ONLINE_GAMBLING,PHYSICAL_GAMBLING,OTC_DRUGS')
    .transform(readCategories),
  /** How long a decision link in an email works. */
  DECISION_LINK_HOURS: z.coerce.number().positive().max(720).default(72),
  /** Hour of the daily digest, in WORKING_TIME_ZONE. */
  DIGEST_HOUR: z.coerce.number().int().min(0).max(23).default(8),
  /** Seconds between two rounds of the sweeper. */
  SWEEP_SECONDS: z.coerce.number().positive().max(30).default(10),
  /** For tests: history events after which an approved number continues as new. 0: when the server suggests it. */
  MAX_HISTORY: z.coerce.number().int().min(0).default(0),
  /** Worker: a pre-built workflow bundle; built at start when unset. */
  WORKFLOW_BUNDLE: z.string().optional(),
  /** Worker: seconds a shutdown waits for running activities. */
  SHUTDOWN_GRACE_SECONDS: z.coerce.number().min(0).max(600).default(30),
  /** Take http Incoming URLs, for development; ignored in production. Default: where NODE_ENV is development. */
  ALLOW_HTTP_URLS: flag.optional(),
  /** Delivery: the one address (`host:port`) that may be called although it is not public; ignored in production. */
  SAMPLE_ENDPOINT: z
    .string()
    .regex(/^[^\s/:]+:\d+$/, 'a host and a port, like 127.0.0.1:8026')
    .optional(),
});

export type Config = z.output<typeof configSchema>;

/** Thrown with one line per wrong variable. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** Reads the configuration. An empty variable counts as unset. Throws `ConfigError`. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = configSchema.safeParse(set, { error: wanted });
  if (result.success) {
    needTogether(result.data);
    return result.data;
  }
  const lines = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return set[name] === undefined ? `${name} is not set.` : `${name}: ${issue.message}.`;
  });
  throw new ConfigError([...new Set(lines)].join('\n'));
}

/** What is needed, where a setting has no words of its own: zod's say what it expected and received. */
function wanted(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue['expected'] === 'int' ? 'a whole number is needed' : 'a number is needed';
    case 'invalid_value':
      return `one of ${(issue['values'] as unknown[]).join(', ')}`;
    case 'too_small':
      return issue['inclusive'] ? `${issue['minimum']} or more` : `more than ${issue['minimum']}`;
    case 'too_big':
      return `${issue['maximum']} or less`;
    default:
      return issue['format'] === 'email' ? 'email addresses, with commas between them' : 'a whole URL';
  }
}

/** Variables that say nothing without each other. */
function needTogether(config: Config): void {
  const groups: [boolean, (keyof Config)[]][] = [
    [config.AUTH_SECRET_FALLBACKS !== undefined, ['AUTH_SECRET']],
    [config.META_APP_ID !== undefined, ['META_APP_SECRETS', 'META_VERIFY_TOKEN', 'AUTH_SECRET']],
    [
      config.META_WABA_ID !== undefined || config.META_ACCESS_TOKEN !== undefined,
      ['META_APP_ID', 'META_WABA_ID', 'META_ACCESS_TOKEN'],
    ],
    [config.OIDC_ISSUER !== undefined, ['OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET']],
    [config.IMAGE_STORE === 's3', ['S3_ENDPOINT', 'S3_BUCKET', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY']],
  ];
  const missing = groups.flatMap(([used, names]) =>
    used ? names.filter((name) => config[name] === undefined) : [],
  );
  if (missing.length > 0) throw new ConfigError(missing.map((name) => `${name} is not set.`).join('\n'));
}
