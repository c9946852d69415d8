/** How many of something each has at the moment; who has none takes no memory. */
export function createTally() {
  const counts = new Map<string, number>();
  const of = (who: string) => counts.get(who) ?? 0;
  return {
    of,
    add(who: string, more: 1 | -1): void {
      const now = of(who) + more;
      if (now === 0) counts.delete(who);
      else counts.set(who, now);
    },
  };
}
