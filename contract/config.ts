/** Configuration from the environment, one schema. A wrong value is one clear line that names the variable. */
import { z } from 'zod';

/** A port; 0 lets the system pick a free one. */
const port = z.coerce.number().int().min(0).max(65535);
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
/** Comma-separated addresses. */
const addresses = z
  .string()
  .transform((value) =>
    value
      .split(',')
      .map((part) => part.trim())
      .filter(Boolean),
  )
  .pipe(z.array(z.email()));

/** `name@example.com`, or a name before it in angle brackets. */
const ONE_SENDER = /^(?:[^<>@\r\n]*<[^\s<>@,]+@[^\s<>@,]+>|[^\s<>@,]+@[^\s<>@,]+)$/;

/** What every process of the product knows. Temporal's own variables (`TEMPORAL_…`) are read by its SDK. */
export const configSchema = z.object({
  NODE_ENV: z.enum(['development', 'production', 'test']).default('production'),
  LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  /** PostgreSQL 15 or later. */
  DATABASE_URL: z.url({ protocol: /^postgres(ql)?$/ }),
  /** Connections of one process. */
  DATABASE_POOL: z.coerce.number().int().min(2).max(200).default(16),

  TEMPORAL_ADDRESS: z.string().min(1).default('localhost:7233'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_API_KEY: z.string().optional(),
  TEMPORAL_TLS: z.string().optional(),
  /** Link to the Temporal UI, shown to operators. */
  TEMPORAL_UI_URL: z.url().optional(),

  /** API. */
  HOST: z.string().min(1).default('127.0.0.1'),
  PORT: port.default(3000),
  METRICS_PORT: port.default(9464),
  /** Where clients reach the API: used in `type` and `Location`. */
  PUBLIC_URL: z.url().optional(),
  /** Addresses (comma-separated, CIDR) of the proxies whose X-Forwarded-For is believed; "false" for none. */
  TRUST_PROXY: z.string().default('false'),

  /** Mail. */
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).default('smtp://127.0.0.1:1025'),
  MAIL_FROM: z
    .string()
    .regex(ONE_SENDER, 'one address, like "Numbers <numbers@example.com>"')
    .default('WhatsApp Numbers <numbers@example.com>'),
  /** Who gets the daily review digest; nobody when unset. */
  SUPPORT_EMAIL: addresses.optional(),
  /** Who hears of what is overdue by three times; nobody when unset. */
  ESCALATION_EMAIL: addresses.optional(),

  /** How long a stage may wait before it is overdue. */
  VERIFICATION_DUE_HOURS: z.coerce.number().positive().max(8760).default(24),
  FACEBOOK_DUE_HOURS: z.coerce.number().positive().max(8760).default(168),
  /** Hour of the daily digest, UTC. */
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
});

export type Config = z.output<typeof configSchema>;

/** Thrown with one line per wrong variable. */
export class ConfigError extends Error {
  override name = 'ConfigError';
}

/** Reads the configuration. An empty variable counts as unset. Throws `ConfigError`. */
export function loadConfig(env: NodeJS.ProcessEnv = process.env): Config {
  const set = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  const result = configSchema.safeParse(set);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    return set[name] === undefined ? `${name} is not set.` : `${name}: ${issue.message}.`;
  });
  throw new ConfigError([...new Set(lines)].join('\n'));
}
