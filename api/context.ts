/** What every route works with. */
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { type Auth, createAuth } from '../auth/better-auth.ts';
import { createDecisionTokens, type DecisionTokens } from '../auth/decision-tokens.ts';
import { type Secrets, secretsOf } from '../auth/secrets.ts';
import { type Config, ConfigError } from '../contract/config.ts';
import { numberFields } from '../contract/fields.ts';
import { workingTimeOf } from '../contract/working-time.ts';
import type { AcceptanceSettings } from '../db/accept.ts';
import type { Database } from '../db/client.ts';
import type { Closure } from '../db/close-account.ts';
import { mailDomain } from '../db/email-rows.ts';
import { createImageStore, type ImageStore } from '../images/store.ts';
import { graphOf } from '../meta/deps.ts';
import type { Graph } from '../meta/graph.ts';
import { type TargetSecrets, targetSecrets } from '../targets/secrets.ts';
import { type UrlRules, urlRules } from '../targets/target-url.ts';
import type { MailWorkflows } from '../temporal/mail.ts';
import type { NumberWorkflows } from '../temporal/numbers.ts';
import { createWatch, type Watch } from './watch.ts';

export interface ApiDeps {
  db: Database;
  workflows: NumberWorkflows;
  mail: MailWorkflows;
  config: Config;
}

export interface ApiContext extends ApiDeps {
  /** Put before the paths that are answered: where clients reach the API, or empty for relative ones. */
  publicUrl: string;
  /** Which URLs are taken. */
  urls: UrlRules;
  /** The same for what has to be whole: links in emails. Without PUBLIC_URL, outside production, where the API listens. */
  wholeUrl: string;
  auth: Auth;
  decisionTokens: DecisionTokens;
  fields: ReturnType<typeof numberFields>;
  targetSecrets: TargetSecrets;
  acceptance: AcceptanceSettings;
  closing: Closure['settings'];
  watch: Watch;
  images: ImageStore;
  /** For what is kept encrypted. */
  secrets: Secrets;
  /** Null where Meta is not configured. */
  meta: Graph | null;
}

/** Milliseconds of one call to Meta: three of them have to fit into a request. */
const META_DEADLINES = { call: 3_500, upload: 3_500 };

/** A file under routes/. */
export type Routes = FastifyPluginAsyncZod<{ api: ApiContext }>;

/** Throws a `ConfigError` where a setting is missing that only the API needs. */
export function createContext(deps: ApiDeps): ApiContext {
  const { config } = deps;
  const urls = urlRules(config);
  const publicUrl = config.PUBLIC_URL?.replace(/\/+$/, '') ?? '';
  if (config.NODE_ENV === 'production' && publicUrl === '') {
    throw new ConfigError(
      'PUBLIC_URL is not set. Links in emails lead there, and its https makes cookies Secure.',
    );
  }
  const wholeUrl = publicUrl || `http://${config.HOST}:${config.PORT}`;
  const auth = createAuth(deps.db, config, wholeUrl);
  return {
    ...deps,
    urls,
    publicUrl,
    wholeUrl,
    auth,
    decisionTokens: createDecisionTokens(auth.keysFor('decision links')),
    fields: numberFields(urls),
    targetSecrets: targetSecrets(secretsOf(config)),
    acceptance: {
      verificationDueMs: config.VERIFICATION_DUE_HOURS * 3_600_000,
      workingTime: workingTimeOf(config),
      fourEyes: config.FOUR_EYES_CATEGORIES,
      mailDomain: mailDomain(config.MAIL_FROM),
      submissionsPerDay: config.SUBMISSIONS_PER_DAY,
    },
    closing: { erasureDays: config.ACCOUNT_ERASURE_DAYS, mailDomain: mailDomain(config.MAIL_FROM) },
    watch: createWatch(deps.db),
    images: createImageStore(deps.db, config),
    secrets: secretsOf(config),
    meta: config.META_APP_ID === undefined ? null : graphOf(config, META_DEADLINES),
  };
}
