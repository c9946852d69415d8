/** Failures on request: the next calls that fit are answered with an error, late, or after they were done. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { GraphError } from './errors.ts';

export const failureSchema = z.object({
  method: z.enum(['GET', 'POST']).optional(),
  /** Part of the path, e.g. `/register`. */
  path: z.string().default(''),
  /** How many calls. */
  count: z.coerce.number().int().min(1).default(1),
  /** Meta's code; without it the call is only delayed. */
  code: z.coerce.number().int().optional(),
  subcode: z.coerce.number().int().optional(),
  message: z.string().optional(),
  /** HTTP, where it is another than the code's. */
  status: z.coerce.number().int().min(400).max(599).optional(),
  transient: z.boolean().optional(),
  /** `after`: the call does its work, and its answer is lost behind the error. */
  when: z.enum(['before', 'after']).default('before'),
  /** Milliseconds until the call is worked on. */
  delayMs: z.coerce.number().int().min(0).max(600_000).default(0),
});

type FailureRule = z.output<typeof failureSchema>;

export class FailureRules {
  /** In the order in which they were asked for; the first that fits counts. */
  readonly rules: FailureRule[] = [];

  add(rule: FailureRule): void {
    this.rules.push({ ...rule });
  }

  clear(): void {
    this.rules.length = 0;
  }

  /** Does a call's work, or fails as it was asked for. */
  async around<T>(method: string, path: string, work: () => T): Promise<T> {
    const rule = this.#take(method, path);
    if (!rule) return work();
    if (rule.delayMs > 0) await sleep(rule.delayMs, undefined, { ref: false });
    if (rule.code === undefined) return work();
    if (rule.when === 'after') work();
    throw new GraphError(rule.code, rule);
  }

  #take(method: string, path: string): FailureRule | undefined {
    const index = this.rules.findIndex(
      (rule) => (rule.method ?? method) === method && path.includes(rule.path),
    );
    const rule = this.rules[index];
    if (!rule) return undefined;
    rule.count -= 1;
    if (rule.count === 0) this.rules.splice(index, 1);
    return rule;
  }
}
