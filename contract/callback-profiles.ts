/** What a callback profile is: where the delivery statuses of an account's messages go. */

/** Statuses of a message that Meta tells of. */
export const MESSAGE_STATUSES = ['sent', 'delivered', 'read', 'failed', 'played'] as const;
export type MessageStatus = (typeof MESSAGE_STATUSES)[number];
