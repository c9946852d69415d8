/** How many streams there may be: of one key or person, and in this process. */
import { ProblemError } from '../problems.ts';

/** A person has a few tabs, a key a few processes. */
const OF_ONE = 20;

/** Takes a slot for a key or a person, and returns how to give it back. Throws where there is none. */
export function createSlots(inAll: number): (of: string) => () => void {
  const taken = new Map<string, number>();
  let sum = 0;
  return (of) => {
    const theirs = taken.get(of) ?? 0;
    if (theirs >= OF_ONE) {
      const fact = `Streams open at the same time with one key, or of one person: at most ${OF_ONE}.`;
      throw new ProblemError('rate_limited', { fact, headers: { 'retry-after': '5' } });
    }
    if (sum >= inAll) throw new ProblemError('unavailable', { fact: 'No more streams can be opened here.' });
    taken.set(of, theirs + 1);
    sum += 1;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      sum -= 1;
      const left = (taken.get(of) ?? 1) - 1;
      if (left === 0) taken.delete(of);
      else taken.set(of, left);
    };
  };
}
