/** Reading once for all who ask for the same at the same time. */

interface Reading<Answer> {
  /** For whoever has asked since it began. */
  next: PromiseWithResolvers<Answer> | null;
}

/**
 * Whoever asks while the same is being read shares the next reading, and not that one: it sees all that was written
 * before they asked. So there is one reading at a time, however many ask. The answer must not be changed.
 */
export function shareReadings<Question, Answer>(
  read: (question: Question) => Promise<Answer>,
): (question: Question) => Promise<Answer> {
  const readings = new Map<string, Reading<Answer>>();

  async function begin(key: string, question: Question): Promise<Answer> {
    const reading: Reading<Answer> = { next: null };
    readings.set(key, reading);
    try {
      return await read(question);
    } finally {
      if (reading.next) reading.next.resolve(begin(key, question));
      else readings.delete(key);
    }
  }

  return (question) => {
    const key = JSON.stringify(question);
    const reading = readings.get(key);
    if (!reading) return begin(key, question);
    reading.next ??= Promise.withResolvers();
    return reading.next.promise;
  };
}
