/** The business profile of a number: `whatsapp_business_profile`. */
import { BUSINESS_CATEGORIES } from '../../contract/categories.ts';
import { badParameter, GraphError } from './errors.ts';
import { type Parameters, whatsapp } from './parameters.ts';
import type { Simulation } from './simulation.ts';
import type { PhoneNumber } from './state.ts';

/** In characters. Meta's OpenAPI; its pages say 512 for the description. */
const LENGTHS = { about: 139, address: 256, description: 512, email: 128 } as const;
const MAX_WEBSITE = 256;
const FIELDS = ['about', 'address', 'description', 'email', 'profile_picture_url', 'websites', 'vertical'];

/** What is asked for by `fields`, without what is empty. */
export function readProfile(simulation: Simulation, number: PhoneNumber, params: Parameters) {
  if (!number.registered) throw new GraphError(133010);
  const asked = String(params['fields'] ?? 'messaging_product').split(',');
  const { picture, ...profile } = number.profile;
  const whole: Record<string, unknown> = {
    ...profile,
    ...(picture && { profile_picture_url: `${simulation.url}/pictures/${picture}` }),
  };
  const unknown = asked.find((field) => field !== 'messaging_product' && !FIELDS.includes(field));
  if (unknown !== undefined) {
    throw new GraphError(100, {
      message: `Tried accessing nonexisting field (${unknown}) on node type (WhatsAppBusinessProfile)`,
    });
  }
  const shown = FIELDS.filter((field) => asked.includes(field) && isSet(whole[field]));
  const data = Object.fromEntries(shown.map((field) => [field, whole[field]]));
  return { data: [{ ...data, messaging_product: 'whatsapp' }] };
}

/** Changes what is named; all of it or, with an error, nothing. */
export function writeProfile(simulation: Simulation, number: PhoneNumber, params: Parameters) {
  whatsapp(params);
  if (!number.registered) throw new GraphError(133010);
  const profile = { ...number.profile };
  for (const [field, length] of Object.entries(LENGTHS) as [keyof typeof LENGTHS, number][]) {
    const value = params[field];
    if (value === undefined) continue;
    if (typeof value !== 'string') throw badParameter(`Param ${field} must be a string`);
    if ([...value].length > length)
      throw badParameter(`Param ${field} must be at most ${length} characters long`);
    if (field === 'about' && value.trim() === '') throw badParameter('Param about cannot be empty');
    profile[field] = value;
  }
  if (params['websites'] !== undefined) profile.websites = websites(params['websites']);
  if (params['vertical'] !== undefined) {
    const vertical = String(params['vertical']);
    if (!Object.hasOwn(BUSINESS_CATEGORIES, vertical) && !['', 'UNDEFINED', 'NOT_A_BIZ'].includes(vertical))
      throw badParameter(`Param vertical is not a vertical: ${vertical}`);
    profile.vertical = vertical;
  }
  if (params['profile_picture_handle'] !== undefined) {
    const handle = String(params['profile_picture_handle']);
    profile.picture = simulation.pictures.add(simulation.uploads.picture(handle, number.wabaId));
  }
  number.profile = profile;
  simulation.changed();
  return { success: true };
}

function websites(value: unknown): string[] {
  const list = typeof value === 'string' ? parsed(value) : value;
  if (!Array.isArray(list) || list.length > 2)
    throw badParameter('Param websites must be an array of at most 2');
  for (const website of list) {
    if (typeof website !== 'string' || website.length > MAX_WEBSITE || !/^https?:\/\/\S+$/.test(website))
      throw badParameter(
        `Param websites must hold addresses with http:// or https://, at most ${MAX_WEBSITE} characters`,
      );
  }
  return list as string[];
}

/** Forms send an array as JSON. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0);
}
