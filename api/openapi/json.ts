/** Parts of an OpenAPI document, as plain JSON. */

export type Json = Record<string, unknown>;

export const ref = (kind: string, name: string) => ({ $ref: `#/components/${kind}/${name}` });

export function mapValues<T, U>(
  object: Record<string, T>,
  map: (value: T, key: string) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, map(value, key)]));
}

/** A value of a schema, from the examples in it. Undefined where it has none. */
export function exampleOf(schema: Json, schemas: Json): unknown {
  const { $ref, examples, anyOf, items, properties } = schema as {
    $ref?: string;
    examples?: unknown[];
    anyOf?: Json[];
    items?: Json;
    properties?: Record<string, Json>;
  };
  if (examples) return examples[0];
  if ($ref) return exampleOf(schemas[$ref.replace('#/components/schemas/', '')] as Json, schemas);
  if (anyOf?.[0]) return exampleOf(anyOf[0], schemas);
  if (items) return [exampleOf(items, schemas)];
  if (properties) return mapValues(properties, (property) => exampleOf(property, schemas));
  const values = (schema['enum'] ?? ('const' in schema ? [schema['const']] : undefined)) as
    | unknown[]
    | undefined;
  return values ? values[0] : schema['type'] === 'boolean' ? true : undefined;
}
