/** What is done to a number: added, verified, registered, renamed. */
import { randomInt } from 'node:crypto';
import { badParameter, GraphError } from './errors.ts';
import * as check from './parameters.ts';
import { newObjectId, type Simulation } from './simulation.ts';
import type { PhoneNumber } from './state.ts';

const HOUR = 3_600_000;
const CODE_VALID_MS = HOUR / 6;
/** Calls to register and deregister together, per number in a moving window. */
const REGISTRATIONS = 10;
const REGISTRATION_WINDOW_MS = 72 * HOUR;
const REGIONS = 'AU ID IN JP SG KR DE CH GB BR BH ZA AE CA'.split(' ');

export function addNumber(simulation: Simulation, wabaId: string, params: check.Parameters): { id: string } {
  const cc = check.text(params, 'cc', /^[0-9]{1,3}$/);
  const national = check.text(params, 'phone_number', /^[1-9][0-9]{6,14}$/);
  const verifiedName = check.name(params, 'verified_name');
  const digits = cc + national;
  const { numbers } = simulation.state;
  const own = numbers.filter((number) => number.wabaId === wabaId);
  // Meta documents the code, not when it is used (inferred).
  if (numbers.some((number) => number.digits === digits))
    throw new GraphError(200000, { details: 'The phone number is already on a WhatsApp Business Account' });
  if (own.length >= simulation.businessOf(wabaId).maxNumbers)
    throw new GraphError(200000, { details: 'The business has as many phone numbers as it may have' });
  const id = newObjectId();
  numbers.push({
    id,
    wabaId,
    digits,
    verifiedName,
    nameStatus: 'NONE',
    newName: null,
    newNameStatus: 'NONE',
    codeStatus: 'NOT_VERIFIED',
    code: null,
    provisionedAt: null,
    pin: null,
    registered: false,
    onboardedAt: null,
    registrations: [],
    blockedUntil: 0,
    status: 'PENDING',
    qualityRating: 'UNKNOWN',
    limit: null,
    official: false,
    profile: {},
  });
  simulation.changed();
  return { id };
}

export function requestCode(simulation: Simulation, number: PhoneNumber, params: check.Parameters) {
  const method = check.oneOf(params, 'code_method', ['SMS', 'VOICE']);
  check.text(params, 'language', /^[a-z]{2}_[A-Z]{2}$/);
  if (number.codeStatus === 'VERIFIED')
    throw new GraphError(136024, { details: 'This phone number is already verified' });
  const value = String(randomInt(1_000_000)).padStart(6, '0');
  number.code = { value, method, expiresAt: simulation.now() + CODE_VALID_MS, used: false };
  simulation.changed();
  return { success: true };
}

export function verifyCode(simulation: Simulation, number: PhoneNumber, params: check.Parameters) {
  const value = check.text(params, 'code', /^[0-9]{6}$/);
  const { code } = number;
  if (!code || code.used || code.value !== value || code.expiresAt < simulation.now())
    throw badParameter('The code is wrong or has expired');
  code.used = true;
  number.codeStatus = 'VERIFIED';
  number.provisionedAt ??= simulation.now() + simulation.provisioningDelayMs;
  simulation.changed();
  return { success: true };
}

export function register(simulation: Simulation, number: PhoneNumber, params: check.Parameters) {
  spend(simulation, number);
  check.whatsapp(params);
  const pin = check.text(params, 'pin', /^[0-9]{6}$/);
  if (params['data_localization_region'] !== undefined)
    check.oneOf(params, 'data_localization_region', REGIONS);
  if (number.codeStatus !== 'VERIFIED') throw new GraphError(133006);
  if (!isProvisioned(simulation, number)) {
    throw new GraphError(100, {
      subcode: 2388001,
      user: {
        title: 'Cannot Create Certificate',
        text: 'The certificate cannot be created yet. Please try again later.',
      },
    });
  }
  if (number.pin !== null && number.pin !== pin) throw new GraphError(133005);
  number.pin = pin;
  if (!number.registered) {
    number.registered = true;
    number.status = 'CONNECTED';
    number.onboardedAt = simulation.now();
    if (number.qualityRating === 'UNKNOWN') number.qualityRating = 'GREEN';
  }
  if (number.newName !== null && number.newNameStatus === 'APPROVED') {
    Object.assign(number, {
      verifiedName: number.newName,
      nameStatus: 'APPROVED',
      newName: null,
      newNameStatus: 'NONE',
    });
  }
  simulation.changed();
  return { success: true };
}

export function deregister(simulation: Simulation, number: PhoneNumber) {
  spend(simulation, number);
  if (!number.registered) throw new GraphError(133010);
  // Its PIN stays: two-step verification cannot be switched off by API.
  number.registered = false;
  number.status = 'DISCONNECTED';
  simulation.changed();
  return { success: true };
}

/** Settings of the number itself. */
export function editNumber(simulation: Simulation, number: PhoneNumber, params: check.Parameters) {
  if (params['new_display_name'] === undefined && params['pin'] === undefined)
    throw badParameter('One of new_display_name and pin is required');
  const newName = params['new_display_name'] === undefined ? null : check.name(params, 'new_display_name');
  const pin = params['pin'] === undefined ? null : check.text(params, 'pin', /^[0-9]{6}$/);
  if (pin !== null && !number.registered) throw new GraphError(133010);
  if (newName !== null && number.newNameStatus === 'PENDING_REVIEW')
    throw badParameter('A new display name is in review already');
  if (newName !== null) Object.assign(number, { newName, newNameStatus: 'PENDING_REVIEW' });
  if (pin !== null) number.pin = pin;
  simulation.changed();
  if (pin !== null) {
    const value = { display_phone_number: number.digits, event: 'PIN_CHANGED', requester: null };
    simulation.send(number.wabaId, [{ field: 'security', value }]);
  }
  return { success: true };
}

/** Whether Meta has prepared a verified number. Found so for the first time, its name is in review. */
export function isProvisioned(simulation: Simulation, number: PhoneNumber): boolean {
  if (number.provisionedAt === null || number.provisionedAt > simulation.now()) return false;
  if (number.nameStatus === 'NONE') {
    number.nameStatus = simulation.nameStatusAtStart;
    simulation.changed();
  }
  return true;
}

/** Counts a call to register or deregister, whatever comes of it; refuses the eleventh for 72 hours. */
function spend(simulation: Simulation, number: PhoneNumber): void {
  const now = simulation.now();
  const refuse = () => {
    throw new GraphError(133016);
  };
  if (number.blockedUntil > now) refuse();
  number.registrations = number.registrations.filter((at) => at > now - REGISTRATION_WINDOW_MS);
  simulation.changed();
  if (number.registrations.length >= REGISTRATIONS) {
    number.blockedUntil = now + REGISTRATION_WINDOW_MS;
    refuse();
  }
  number.registrations.push(now);
}
