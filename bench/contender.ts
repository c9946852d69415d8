/** What is measured: the product, and the skeleton that it is measured against. */
export interface Contender {
  /** One lifecycle, from the submission to the answer to the edit. `n` is never used twice. */
  live(n: number): Promise<{ id: string; workflowId: string }>;
  /** Those of the ids that the list does not show as approved and edited. */
  unfinished(ids: string[]): Promise<string[]>;
  /** Requests so far that were answered as unavailable and made again. */
  repeated(): number;
  close(): Promise<void>;
}
