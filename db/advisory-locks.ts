/** Numbers of advisory locks, arbitrary and each for one purpose: two that were the same would wait for each other. */
export const LOCKS = {
  migration: 7_264_021,
  /** One worker at a time sweeps. */
  sweep: 7_264_022,
  /** With the account, in the two-number form. */
  quota: 7_264_023,
  /** With the account, in the two-number form. */
  commentEmails: 7_264_024,
  // 7264025: making partitions, in the function `add_partitions` (migration 0016).
  /** One process at a time forwards. */
  forwarding: 7_264_026,
  /** One worker at a time reads numbers back. */
  readBack: 7_264_027,
} as const;
