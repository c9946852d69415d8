import { OUR_ACCOUNT, STACK_APP } from './meta/accounts.ts';
import type { Ports } from './ports.ts';

/** The parts that the user's environment replaces by real ones. An empty variable counts as unset. */
export function ownParts(env: NodeJS.ProcessEnv) {
  return {
    databaseUrl: env['DATABASE_URL'] || undefined,
    temporalAddress: env['TEMPORAL_ADDRESS'] || undefined,
    temporalNamespace: env['TEMPORAL_NAMESPACE'] || 'default',
    temporalUiUrl: env['TEMPORAL_UI_URL'] || undefined,
    smtpUrl: env['SMTP_URL'] || undefined,
    metaGraphUrl: env['META_GRAPH_URL'] || undefined,
  };
}

/** Limits that no tool, test or load run on one machine comes near. */
export const GENEROUS_LIMITS = {
  RATE_LIMIT_PER_MINUTE: '1000000',
  RATE_LIMIT_ADDRESS_PER_MINUTE: '1000000',
  SIGN_INS_PER_MINUTE: '1000000',
  SUBMISSIONS_PER_DAY: '1000000',
};

/** Where the parts of this stack are. */
export interface Addresses {
  databaseUrl: string;
  temporalAddress: string;
  temporalUiUrl: string | null;
  smtpUrl: string;
  mailUrl: string | null;
  apiUrl: string;
  /** Null where the user's META_GRAPH_URL takes the simulator's place. */
  simulatorUrl: string | null;
}

/** Where Meta sends webhooks, at the API. */
export const META_WEBHOOK_PATH = '/webhooks/meta';

function metaEnvironment({ simulatorUrl }: Addresses): NodeJS.ProcessEnv {
  if (simulatorUrl === null) return {};
  return {
    META_GRAPH_URL: simulatorUrl,
    META_APP_ID: STACK_APP.appId,
    META_APP_SECRETS: STACK_APP.appSecret,
    META_VERIFY_TOKEN: STACK_APP.verifyToken,
    META_WABA_ID: OUR_ACCOUNT.wabaId,
    META_ACCESS_TOKEN: OUR_ACCOUNT.token,
    // So that whoever loses webhooks on purpose need not wait long.
    META_POLL_SECONDS: '5',
  };
}

/**
 * The environment of the API, the worker and the forwarding process: the user's own, over the defaults of a development stack,
 * under what the stack decides.
 */
export function partEnvironment(
  env: NodeJS.ProcessEnv,
  addresses: Addresses,
  ports: Ports,
  authSecret: string,
): Record<'api' | 'worker' | 'delivery', NodeJS.ProcessEnv> {
  const own = ownParts(env);
  const set = Object.entries(env).filter(
    // With the embedded server, what the user set up for another Temporal must not get in the way.
    ([name, value]) => value !== '' && (own.temporalAddress !== undefined || !name.startsWith('TEMPORAL_')),
  );
  const shared = {
    NODE_ENV: 'development',
    SUPPORT_EMAIL: 'support@numbers.example',
    ESCALATION_EMAIL: 'lead@numbers.example',
    MAIL_FROM: 'WhatsApp Numbers <no-reply@numbers.example>',
    PUBLIC_URL: addresses.apiUrl,
    ...GENEROUS_LIMITS,
    AUTH_SECRET: authSecret,
    OPEN_SIGN_UP: 'true',
    STAFF_TWO_FACTOR: 'optional',
    ...Object.fromEntries(set),
    // Where the stack looks for its parts, whatever HOST says; some shells set it.
    HOST: '127.0.0.1',
    DATABASE_URL: addresses.databaseUrl,
    TEMPORAL_ADDRESS: addresses.temporalAddress,
    TEMPORAL_NAMESPACE: own.temporalNamespace,
    ...(addresses.temporalUiUrl !== null && { TEMPORAL_UI_URL: addresses.temporalUiUrl }),
    SMTP_URL: addresses.smtpUrl,
    ...metaEnvironment(addresses),
    SAMPLE_ENDPOINT: `127.0.0.1:${ports.ENDPOINT_PORT}`,
    // The stack promises to be down within 15 s.
    SHUTDOWN_GRACE_SECONDS: '3',
  };
  return {
    api: { ...shared, PORT: String(ports.PORT), METRICS_PORT: String(ports.METRICS_PORT) },
    worker: { ...shared, METRICS_PORT: String(ports.WORKER_METRICS_PORT) },
    delivery: { ...shared, METRICS_PORT: String(ports.DELIVERY_METRICS_PORT), SHUTDOWN_GRACE_SECONDS: '0.5' },
  };
}

/** How Node runs the API and delivery: their young generation would otherwise grow to 128 MB on a large machine. */
export const NODE_FLAGS = ['--max-semi-space-size=16'];
