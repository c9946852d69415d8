/** Everything the worker can run. The names are workflow types: they never change. */
export { numberApproval } from './number-approval.ts';
export { accountClosing, emailLeftovers, imageCleanup, reviewDigest, sendMail } from './schedules.ts';
