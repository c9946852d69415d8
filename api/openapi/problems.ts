/** Problems in the OpenAPI document: one schema for all, and for each code what it looks like. */
import { PROBLEMS, type ProblemCode } from '../../contract/errors.ts';
import { EXTRA, PROBLEM_MEMBERS } from '../answers.ts';
import { exampleOf, type Json, ref } from './json.ts';

const TYPE = 'application/problem+json';

/** As a route declares it, and as the document tells it. */
interface DeclaredAnswer {
  content?: { [TYPE]?: { schema: { properties: Record<string, Json> } } };
}
interface ShapedAnswer {
  content: { [TYPE]: { schema: { allOf: [Json, { properties: Record<string, Json> }] } } };
}

/** Faults that the examples of these carry. */
const FAULTS: Partial<Record<ProblemCode, Json[]>> = {
  malformed_request: [{ pointer: 'limit', code: 'too_big', detail: 'At most 100.' }],
  invalid_request: [{ pointer: '/displayName', code: 'invalid', detail: 'Must have at least 2 characters.' }],
};

/** The codes that an answer may have; null where it is no problem. */
export function codesOf(answer: Json): ProblemCode[] | null {
  const content = answer['content'] as Json | undefined;
  const examples = (content?.[TYPE] as Json | undefined)?.['examples'];
  return examples ? (Object.keys(examples) as ProblemCode[]) : null;
}

/** A problem as a route declares it, told by what it has of its own. Other answers stay as they are. */
export function shapeProblem(answer: Json): Json {
  const { properties } = (answer as DeclaredAnswer).content?.[TYPE]?.schema ?? {};
  if (!properties) return answer;
  const codes = properties['code']?.['enum'] as ProblemCode[];
  const own = Object.entries(properties).filter(([name]) => !PROBLEM_MEMBERS.includes(name));
  const schema = {
    allOf: [
      ref('schemas', 'Problem'),
      { type: 'object', properties: { code: { enum: codes }, ...Object.fromEntries(own) } },
    ],
  };
  const examples = Object.fromEntries(codes.map((code) => [code, ref('examples', code)]));
  return { ...answer, content: { [TYPE]: { schema, examples } } };
}

/** What each code looks like that one of the answers may have. */
export function problemExamples(answers: Json[], schemas: Json, publicUrl: string): Json {
  const examples: Json = {};
  for (const answer of answers) {
    for (const code of codesOf(answer) ?? []) {
      examples[code] ??= exampleFor(code, membersOf(answer), schemas, publicUrl);
    }
  }
  return Object.fromEntries(Object.entries(examples).sort());
}

function exampleFor(code: ProblemCode, members: Record<string, Json>, schemas: Json, publicUrl: string) {
  const { title, status, advice } = PROBLEMS[code];
  const own = Object.keys(EXTRA[code] ?? {}).map((name) => [name, exampleOf(members[name] ?? {}, schemas)]);
  return {
    summary: title,
    value: {
      type: `${publicUrl}/problems/${code}`,
      title,
      status,
      detail: advice,
      code,
      instance: '/v1/numbers',
      requestId: 'c0ffee00-0000-4000-8000-000000000000',
      errors: FAULTS[code] ?? [],
      ...Object.fromEntries(own),
    },
  };
}

function membersOf(answer: Json): Record<string, Json> {
  return (answer as unknown as ShapedAnswer).content[TYPE].schema.allOf[1].properties;
}
