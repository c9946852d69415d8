/** What a phone number shows of itself, and an account. */
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { GraphError } from './errors.ts';
import { isProvisioned } from './numbers.ts';
import type { Parameters } from './parameters.ts';
import type { Simulation } from './simulation.ts';
import type { Account, PhoneNumber } from './state.ts';

const NUMBER_FIELDS =
  'verified_name,code_verification_status,display_phone_number,quality_rating,platform_type,throughput';

/** The fields that are asked for, and the id. */
export function readNumber(simulation: Simulation, number: PhoneNumber, params: Parameters) {
  return chosen(
    numberNode(simulation, number),
    params['fields'] ?? NUMBER_FIELDS,
    'WhatsAppBusinessPhoneNumber',
  );
}

export function readAccount(simulation: Simulation, account: Account, params: Parameters) {
  const { wabaId: id, businessId, name } = account;
  const { limit } = simulation.businessOf(id);
  const node = {
    id,
    name,
    timezone_id: '1',
    message_template_namespace: null,
    currency: 'USD',
    country: 'US',
    status: 'ACTIVE',
    account_review_status: 'APPROVED',
    business_verification_status: 'verified',
    ownership_type: 'SELF',
    owner_business_info: { id: businessId, name },
    whatsapp_business_manager_messaging_limit: limit,
  };
  return chosen(node, params['fields'] ?? 'name,timezone_id', 'WhatsAppBusinessAccount');
}

/** All fields of `meta.md`, section 2. */
function numberNode(simulation: Simulation, number: PhoneNumber): Record<string, unknown> {
  // Decides whether its name is in review already.
  const certificate = isProvisioned(simulation, number);
  const platform = number.registered ? 'CLOUD_API' : 'NOT_APPLICABLE';
  const limit = simulation.limitOf(number);
  return {
    id: number.id,
    display_phone_number:
      parsePhoneNumberFromString(`+${number.digits}`)?.formatInternational() ?? `+${number.digits}`,
    verified_name: number.verifiedName,
    quality_rating: number.qualityRating,
    quality_score: { score: number.qualityRating },
    code_verification_status: number.codeStatus,
    name_status: number.nameStatus,
    new_display_name: number.newName ?? undefined,
    new_name_status: number.newNameStatus,
    status: number.status,
    messaging_limit_tier: limit,
    whatsapp_business_manager_messaging_limit: limit,
    platform_type: platform,
    host_platform: platform,
    throughput: { level: number.registered ? 'STANDARD' : 'NOT_APPLICABLE' },
    account_mode: 'LIVE',
    unified_cert_status: CERTIFICATE[number.nameStatus],
    health_status: health(simulation, number),
    is_official_business_account: number.official,
    is_pin_enabled: number.pin !== null,
    last_onboarded_time:
      number.onboardedAt === null
        ? undefined
        : new Date(number.onboardedAt).toISOString().replace(/\.\d+Z$/, '+0000'),
    username: undefined,
    certificate: certificate ? Buffer.from(`certificate of ${number.id}`).toString('base64') : undefined,
    search_visibility: 'NON_VISIBLE',
  };
}

const CERTIFICATE: Record<PhoneNumber['nameStatus'], string> = {
  APPROVED: 'APPROVED',
  AVAILABLE_WITHOUT_REVIEW: 'APPROVED',
  PENDING_REVIEW: 'NAME_PENDING_REVIEW',
  DECLINED: 'NAME_NOT_APPROVED',
  EXPIRED: 'NAME_NOT_APPROVED',
  NONE: 'ACCOUNT_REVIEW_NOT_STARTED',
};

function health(simulation: Simulation, { id, wabaId, registered, status }: PhoneNumber) {
  const blocked = !registered || ['BANNED', 'DISCONNECTED'].includes(status);
  const sending = blocked ? 'BLOCKED' : status === 'CONNECTED' ? 'AVAILABLE' : 'LIMITED';
  const error = {
    error_code: 141000,
    error_description: 'The phone number is not registered.',
    possible_solution: 'Register the phone number.',
  };
  return {
    can_send_message: sending,
    entities: [
      {
        entity_type: 'PHONE_NUMBER',
        id,
        can_send_message: sending,
        ...(!registered && { errors: [error] }),
      },
      { entity_type: 'WABA', id: wabaId, can_send_message: 'AVAILABLE' },
      {
        entity_type: 'BUSINESS',
        id: simulation.account(wabaId)?.businessId,
        can_send_message: 'AVAILABLE',
      },
      { entity_type: 'APP', id: simulation.options.appId, can_send_message: 'AVAILABLE' },
    ],
  };
}

function chosen(node: Record<string, unknown>, fields: unknown, type: string): Record<string, unknown> {
  const asked = String(fields)
    .split(',')
    .map((field) => field.trim());
  const unknown = asked.find((field) => !Object.hasOwn(node, field));
  if (unknown !== undefined) {
    throw new GraphError(100, {
      message: `Tried accessing nonexisting field (${unknown}) on node type (${type})`,
    });
  }
  return Object.fromEntries([...asked, 'id'].map((field) => [field, node[field]]));
}
