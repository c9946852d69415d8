import type { Changes, Profile } from './fields.ts';

/** The fields whose value really changes, as the timeline shows them. */
export function changedFields(
  profile: Profile,
  changes: Changes,
): Record<string, { from: unknown; to: unknown }> {
  const current: Record<string, unknown> = { ...profile };
  return Object.fromEntries(
    Object.entries(changes)
      .filter(([field, to]) => to !== undefined && current[field] !== to)
      .map(([field, to]) => [field, { from: current[field], to }]),
  );
}
