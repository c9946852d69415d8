/** How many streams there may be: of one key or person, of one account, and in this process. */
import { ProblemError } from '../problems.ts';
import { createTally } from '../tally.ts';

/** A person has a few tabs, a key a few processes. */
const OF_ONE = 20;
/** What one account may have of those in a process: it has many keys, and others listen as well. */
const SHARE = 1 / 4;

/** Who listens: by key or as a person, and for which account; null for staff. */
interface Listener {
  id: string;
  accountId: string | null;
}

/** Takes a slot for a listener, and returns how to give it back. Throws where there is none. */
export function createSlots(inAll: number): (listener: Listener) => () => void {
  const ofAccount = Math.ceil(inAll * SHARE);
  const taken = createTally();
  let sum = 0;
  return ({ id, accountId }) => {
    refuseFrom(taken.of(id), OF_ONE, 'with one key, or of one person');
    if (accountId !== null) refuseFrom(taken.of(accountId), ofAccount, 'of one account');
    if (sum >= inAll) throw new ProblemError('unavailable', { fact: 'No more streams can be opened here.' });
    const whose = accountId === null ? [id] : [id, accountId];
    for (const who of whose) taken.add(who, 1);
    sum += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      sum -= 1;
      for (const who of whose) taken.add(who, -1);
    };
  };
}

function refuseFrom(taken: number, most: number, whose: string): void {
  if (taken < most) return;
  const fact = `Streams open at the same time ${whose}: at most ${most}.`;
  throw new ProblemError('rate_limited', { fact, headers: { 'retry-after': '5' } });
}
