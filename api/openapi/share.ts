/** What several operations have alike, told once in the OpenAPI document. */
import { type Json, mapValues, ref } from './json.ts';
import { codesOf } from './problems.ts';

export interface Operation extends Json {
  parameters?: Json[];
  responses: Record<string, Json>;
}

/**
 * Takes parameters (but those in paths) and problems that several operations have alike out of them, to be
 * told once. Changes `paths`.
 */
export function share(paths: Record<string, Record<string, Operation>>): {
  parameters: Json;
  responses: Json;
} {
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods));
  const shared = { parameters: {} as Json, responses: {} as Json };
  const parameters = operations.flatMap((operation) => operation.parameters ?? []);
  const responses = operations.flatMap(({ responses }) => Object.values(responses));
  const names = {
    parameters: namesOf(parameters, ({ in: place, name }) => (place === 'path' ? null : String(name))),
    responses: namesOf(responses, (response) => codesOf(response)?.join('.') ?? null),
  };
  const told = (kind: keyof typeof shared) => (part: Json) => {
    const name = names[kind].get(JSON.stringify(part));
    if (name === undefined) return part;
    shared[kind][name] = part;
    return ref(kind, name);
  };
  for (const operation of operations) {
    if (operation.parameters) operation.parameters = operation.parameters.map(told('parameters'));
    operation.responses = mapValues(operation.responses, told('responses'));
  }
  return shared;
}

/** A name for each of the parts that is there more than once; the first to come has it. */
function namesOf(parts: Json[], nameOf: (part: Json) => string | null): Map<string, string> {
  const byText = Map.groupBy(parts, (part) => JSON.stringify(part));
  const names = new Map<string, string>();
  for (const [text, [part, ...others]] of byText) {
    const name = part && others.length > 0 ? nameOf(part) : null;
    if (name !== null && ![...names.values()].includes(name)) names.set(text, name);
  }
  return names;
}
