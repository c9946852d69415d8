/** Parameters of calls, from query and body together, checked as Meta checks them. */
import { badParameter } from './errors.ts';

export type Parameters = Record<string, unknown>;

/** A parameter that has to fit a pattern. Forms and queries send texts, JSON may send numbers. */
export function text(params: Parameters, name: string, pattern: RegExp): string {
  const value = params[name];
  if (value === undefined || value === '') throw badParameter(`The parameter ${name} is required`);
  if (typeof value !== 'string' && typeof value !== 'number')
    throw badParameter(`Param ${name} must be a string`);
  if (!pattern.test(String(value))) throw badParameter(`Param ${name} must match ${pattern.source}`);
  return String(value);
}

export function name(params: Parameters, parameter: string): string {
  const value = text(params, parameter, /\S/u).trim();
  if (value.length < 2 || value.length > 75)
    throw badParameter(`Param ${parameter} must have 2 to 75 characters`);
  return value;
}

export function oneOf<T extends string>(params: Parameters, parameter: string, values: readonly T[]): T {
  const value = params[parameter];
  if (value === undefined) throw badParameter(`The parameter ${parameter} is required`);
  const found = values.find((one) => one === value);
  if (found === undefined) throw badParameter(`Param ${parameter} must be one of {${values.join(', ')}}`);
  return found;
}

export function whatsapp(params: Parameters): void {
  if (String(params['messaging_product'] ?? '').toLowerCase() !== 'whatsapp')
    throw badParameter('Param messaging_product must be one of {WHATSAPP}');
}
