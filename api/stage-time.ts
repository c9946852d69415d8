/** The time that a stage may take, which stands still while the customer has to answer. */
import { addWorkingTime, type WorkingTime, workingTimeBetween } from '../contract/working-time.ts';
import type { NumberRow } from '../db/number-row.ts';

/** Support's own time counts while it works, Facebook's by the clock. */
const countsInWorkingTime = (row: NumberRow) => row.status === 'PENDING_VERIFICATION';

/** Milliseconds that the stage has left of its own time. */
export function timeLeft(row: NumberRow, now: Date, time: WorkingTime): number {
  if (row.question) return row.question.remainingMs;
  if (row.dueAt === null) return 0;
  const due = new Date(row.dueAt);
  return countsInWorkingTime(row)
    ? workingTimeBetween(now, due, time)
    : Math.max(0, due.getTime() - now.getTime());
}

/** When the stage is due if its time goes on now: RFC 3339, UTC. */
export function dueWithTimeLeft(row: NumberRow, now: Date, time: WorkingTime): string {
  const left = timeLeft(row, now, time);
  const due = countsInWorkingTime(row) ? addWorkingTime(now, left, time) : new Date(now.getTime() + left);
  return due.toISOString();
}
