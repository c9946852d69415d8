/** The calls of Meta's Graph API that the product makes. Each throws a GraphError. */
import type { z } from 'zod';
import type { CodeMethod } from '../contract/facebook.ts';
import { isWrittenOtherwise } from '../contract/phone.ts';
import {
  accountAnswer,
  createdAnswer,
  type Node,
  nodeAnswer,
  nodesAnswer,
  profileAnswer,
  type ShownProfile,
  successAnswer,
  tokenAnswer,
} from './answers.ts';
import { type CallOptions, callGraph } from './call.ts';
import { GraphError } from './graph-error.ts';
import { type File, uploadFile } from './upload.ts';

/** Milliseconds of one call. */
const DEADLINES = { call: 10_000, upload: 30_000 };
/** Numbers of one WhatsApp Business Account: by 100, so many pages. */
const PAGES = 100;
const NODE_FIELDS = [
  'id',
  'display_phone_number',
  'verified_name',
  'quality_rating',
  'code_verification_status',
  'name_status',
  'new_display_name',
  'new_name_status',
  'status',
  'platform_type',
  'whatsapp_business_manager_messaging_limit',
  'messaging_limit_tier',
];
const PROFILE_FIELDS = 'about,address,description,email,profile_picture_url,websites,vertical';

export interface TokenCheck {
  isValid: boolean;
  appId: string | null;
  scopes: string[];
  /** The objects that a permission is limited to; null where it is not. */
  targetsOf(scope: string): string[] | null;
}

export interface ProfileChanges {
  address?: string;
  description?: string;
  email?: string;
  websites?: string[];
  vertical?: string;
  profile_picture_handle?: string;
}

export type Graph = ReturnType<typeof createGraph>;

export function createGraph(options: {
  url: string;
  /** Our app, and its secret; without them neither tokens are checked nor pictures uploaded. */
  appId?: string | undefined;
  appSecret?: string | undefined;
  /** Shorter ones, for whoever is waited for. */
  deadlines?: typeof DEADLINES;
}) {
  const { url, appId = '', appSecret = '', deadlines = DEADLINES } = options;
  const call = async <T extends z.ZodType>(
    answer: T,
    how: Omit<CallOptions, 'deadlineMs'> & { deadlineMs?: number },
  ): Promise<z.output<T>> => {
    const body = await callGraph(url, { deadlineMs: deadlines.call, ...how });
    const read = answer.safeParse(body);
    if (read.success) return read.data;
    throw new GraphError(how.name, {
      status: 200,
      details: 'The answer has not the form that was expected.',
    });
  };
  type Sent = { token: string; json?: Record<string, unknown>; secrets?: string[] };
  const post = (name: string, path: string, sent: Sent) =>
    call(successAnswer, { name, method: 'POST', path, ...sent });

  /** Without the fields that this version of the API has no more, one by one. */
  async function withFields<T extends z.ZodType>(
    answer: T,
    how: { name: string; path: string; token: string; query?: Record<string, string> },
  ): Promise<z.output<T>> {
    const fields = [...NODE_FIELDS];
    for (;;) {
      try {
        const query = { ...how.query, fields: fields.join(',') };
        return await call(answer, { ...how, method: 'GET', query });
      } catch (error) {
        const gone = error instanceof GraphError && /nonexisting field \((\w+)\)/.exec(error.details)?.[1];
        const index = gone ? fields.indexOf(gone) : -1;
        if (index < 0) throw error;
        fields.splice(index, 1);
      }
    }
  }

  return {
    /** Asks about a token with our app's own. A token of another app is refused with code 100. */
    async checkToken(token: string): Promise<TokenCheck> {
      const { data } = await call(tokenAnswer, {
        name: 'Checking the token',
        method: 'GET',
        path: '/debug_token',
        query: { input_token: token },
        token: `${appId}|${appSecret}`,
        secrets: [token, appSecret],
      });
      return {
        isValid: data.is_valid,
        appId: data.app_id ?? null,
        scopes: data.scopes,
        targetsOf: (scope) => data.granular_scopes.find((one) => one.scope === scope)?.target_ids ?? null,
      };
    },

    async readAccount(token: string, wabaId: string): Promise<{ name: string | null }> {
      const { name } = await call(accountAnswer, {
        name: 'Reading the WhatsApp Business Account',
        method: 'GET',
        path: `/${wabaId}`,
        query: { fields: 'id,name' },
        token,
      });
      return { name: name ?? null };
    },

    /** Has our app hear the account's webhooks. Can be repeated. */
    async subscribe(token: string, wabaId: string): Promise<void> {
      await post('Subscribing to webhooks', `/${wabaId}/subscribed_apps`, { token });
    },

    /** The number with these digits (no `+`) in an account, as they are or as Meta may write them; null where it has none. */
    async findNumber(token: string, wabaId: string, digits: string): Promise<Node | null> {
      let after: string | undefined;
      let alike: Node | null = null;
      for (let page = 0; page < PAGES; page += 1) {
        const { data, paging } = await withFields(nodesAnswer, {
          name: 'Listing numbers',
          path: `/${wabaId}/phone_numbers`,
          query: { limit: '100', ...(after !== undefined && { after }) },
          token,
        });
        const shown = (node: Node) => node.display_phone_number?.replace(/\D/g, '') ?? '';
        const found = data.find((node) => shown(node) === digits);
        if (found) return found;
        alike ??= data.find((node) => isWrittenOtherwise(shown(node), digits)) ?? null;
        after = paging?.cursors?.after;
        if (paging?.next === undefined || after === undefined) return alike;
      }
      throw new GraphError('Listing numbers', {
        details: 'The account has more numbers than can be looked at.',
      });
    },

    async addNumber(
      token: string,
      wabaId: string,
      number: { countryCode: string; nationalNumber: string; name: string },
    ): Promise<string> {
      const { id } = await call(createdAnswer, {
        name: 'Adding the number',
        method: 'POST',
        path: `/${wabaId}/phone_numbers`,
        json: { cc: number.countryCode, phone_number: number.nationalNumber, verified_name: number.name },
        token,
      });
      return id;
    },

    readNumber: (token: string, id: string): Promise<Node> =>
      withFields(nodeAnswer, { name: 'Reading the number', path: `/${id}`, token }),

    async requestCode(
      token: string,
      id: string,
      how: { method: CodeMethod; language: string },
    ): Promise<void> {
      const json = { code_method: how.method, language: how.language };
      await post('Requesting a code', `/${id}/request_code`, { token, json });
    },

    async verifyCode(token: string, id: string, code: string): Promise<void> {
      await post('Verifying the code', `/${id}/verify_code`, { token, json: { code }, secrets: [code] });
    },

    /** Sets the PIN of two-step verification, too, or has to name the one that is set. */
    async register(token: string, id: string, pin: string): Promise<void> {
      const json = { messaging_product: 'whatsapp', pin };
      await post('Registering', `/${id}/register`, { token, json, secrets: [pin] });
    },

    async deregister(token: string, id: string): Promise<void> {
      await post('Deregistering', `/${id}/deregister`, { token, json: {} });
    },

    /** Asks for another name, which Meta reviews. */
    async changeName(token: string, id: string, name: string): Promise<void> {
      await post('Changing the name', `/${id}`, { token, json: { new_display_name: name } });
    },

    async readProfile(token: string, id: string): Promise<ShownProfile> {
      const { data } = await call(profileAnswer, {
        name: 'Reading the profile',
        method: 'GET',
        path: `/${id}/whatsapp_business_profile`,
        query: { fields: PROFILE_FIELDS },
        token,
      });
      return data[0] ?? {};
    },

    /** What is left out stays. `""` and `[]` clear. */
    async setProfile(token: string, id: string, profile: ProfileChanges): Promise<void> {
      const json = { messaging_product: 'whatsapp', ...profile };
      await post('Setting the profile', `/${id}/whatsapp_business_profile`, { token, json });
    },

    /** Resolves with a handle that is good for a short time. */
    upload: (token: string, file: File): Promise<string> =>
      uploadFile((answer, how) => call(answer, { ...how, token }), appId, file, deadlines.upload),
  };
}
