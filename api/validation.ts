/** Requests that do not fit their route's schemas, as problems that say what to send instead. */
import type { FastifySchemaCompiler } from 'fastify';
import type { z } from 'zod';
import { type Fault, malformedQuery, ProblemError } from './problems.ts';

/** More would only tell a machine how wrong it is. */
const MAX_FAULTS = 50;

/** Checks each part of a request: what fits is passed on as the schema makes it. */
export const compileValidator: FastifySchemaCompiler<z.ZodType> =
  ({ schema, httpPart }) =>
  (input) => {
    const result = schema.safeParse(input, { error: wording });
    return result.success
      ? { value: result.data }
      : { error: toProblem(httpPart ?? 'body', result.error.issues) };
  };

function toProblem(part: string, issues: z.core.$ZodIssue[]): ProblemError {
  if (part === 'params') return new ProblemError('not_found');
  const inBody = part === 'body';
  const errors = issues
    .slice(0, MAX_FAULTS)
    .flatMap((issue) => faultsOf(issue, inBody))
    .slice(0, MAX_FAULTS);
  return inBody || part === 'headers'
    ? new ProblemError('invalid_request', { errors })
    : malformedQuery(errors);
}

/** What is wrong with a body, as it is told where a route refuses it. */
export function bodyFaults(schema: z.ZodType, body: unknown): Fault[] {
  const result = schema.safeParse(body, { error: wording });
  return result.success ? [] : (toProblem('body', result.error.issues).options.errors ?? []);
}

/** zod's words that say nothing to a caller. */
const UNTOLD = new Set(['custom', 'invalid_union']);

function faultsOf(issue: z.core.$ZodIssue, inBody: boolean): Fault[] {
  const pointer = (path: PropertyKey[]) =>
    inBody ? path.map((key) => `/${escapePointer(String(key))}`).join('') : path.join('/');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      pointer: pointer([...issue.path, key]),
      code: 'unknown_field',
      detail: inBody ? 'There is no such field; leave it out.' : 'There is no such parameter; leave it out.',
    }));
  }
  const code = UNTOLD.has(issue.code) ? 'invalid' : issue.code;
  return [{ pointer: pointer(issue.path), code, detail: issue.message }];
}

/** RFC 6901. */
export function escapePointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

const SEND: Record<string, string> = {
  string: 'Send a text.',
  number: 'Send a number.',
  int: 'Send a whole number.',
  boolean: 'Send true or false.',
  array: 'Send a list.',
  object: 'Send a JSON object.',
  null: 'Send null.',
};

/** What to do, where a schema has no sentence of its own: zod's say what it expected. */
function wording(issue: z.core.$ZodRawIssue): string {
  const sentence = say(issue);
  return issue.input === undefined ? `Required. ${sentence}` : sentence;
}

function say(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type':
      return SEND[String(issue['expected'])] ?? 'Send a value of another kind.';
    case 'invalid_value':
      return `Send ${oneOf(issue['values'] as unknown[])}.`;
    case 'too_small':
      return `Send at least ${measure(issue['minimum'], issue['origin'])}.`;
    case 'too_big':
      return `Send at most ${measure(issue['maximum'], issue['origin'])}.`;
    case 'not_multiple_of':
      return `Send a multiple of ${issue['divisor']}.`;
    default:
      return 'Send something else: this is not of the form that the reference describes.';
  }
}

function oneOf(values: unknown[]): string {
  const [only] = values;
  return values.length === 1 ? String(only) : `one of ${values.join(', ')}`;
}

function measure(bound: unknown, origin: unknown): string {
  const units: Record<string, string> = { string: 'character', array: 'item', set: 'item', file: 'byte' };
  const unit = units[String(origin)];
  if (!unit) return String(bound);
  return `${bound} ${unit}${Number(bound) === 1 ? '' : 's'}`;
}
