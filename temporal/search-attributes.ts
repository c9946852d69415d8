import type { Connection } from '@temporalio/client';
import { NextActionAtKey, NumberOwnerKey, NumberStatusKey } from '../contract/messages.ts';

/** `temporal.api.enums.v1.IndexedValueType`. */
const INDEXED_VALUE_TYPES = { KEYWORD: 2, DATETIME: 6 } as const;
const KEYS = [NumberStatusKey, NextActionAtKey, NumberOwnerKey];

/**
 * Registers the product's search attributes and verifies their types: the server ignores an attribute that
 * exists with another type without a word. Safe to repeat. Where the server does not let applications
 * register (Temporal Cloud), they must be there already.
 */
export async function ensureSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const wanted = Object.fromEntries(
    KEYS.map((key) => [key.name, INDEXED_VALUE_TYPES[key.type as keyof typeof INDEXED_VALUE_TYPES]]),
  );
  const registered = async () =>
    (await connection.operatorService.listSearchAttributes({ namespace })).customAttributes;

  const before = await registered();
  const missing = Object.fromEntries(Object.entries(wanted).filter(([name]) => before[name] === undefined));
  if (Object.keys(missing).length > 0) {
    await connection.operatorService.addSearchAttributes({ namespace, searchAttributes: missing });
  }
  const after = await registered();
  for (const [name, type] of Object.entries(wanted)) {
    if (after[name] !== undefined && after[name] !== type) {
      throw new Error(
        `The search attribute ${name} of namespace ${namespace} exists with another type (${after[name]}, needed ${type}). ` +
          'Remove it with "temporal operator search-attribute remove" or use another namespace.',
      );
    }
  }
}
