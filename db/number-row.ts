/** Between a row of `numbers` and the state that the workflow carries. */
import type { NumberState } from '../contract/number.ts';
import type { numbers } from './schema.ts';

export type NumberRow = typeof numbers.$inferSelect;

export function stateOf(row: NumberRow): NumberState {
  return {
    status: row.status,
    attempt: row.attempt,
    revision: row.revision,
    profile: {
      displayName: row.displayName,
      incomingUrl: row.incomingUrl,
      callbackProfileId: row.callbackProfileId,
      imageId: row.imageId,
      address: row.address,
      businessDescription: row.businessDescription,
      businessCategory: row.businessCategory,
      contactEmail: row.contactEmail,
      website: row.website,
    },
    waitingSince: row.waitingSince,
    dueAt: row.dueAt,
    verification: row.verification,
    facebookDecision: row.facebookDecision,
    ending: row.ending,
    approvals: row.approvals,
    question: row.question,
    facebook: row.facebook,
    whatsappName: row.whatsappName,
    quality: {
      qualityRating: row.qualityRating,
      qualityColor: row.qualityColor,
      connectionStatus: row.connectionStatus,
      qualityAt: row.qualityAt,
      qualitySource: row.qualitySource,
      messagingLimit: row.messagingLimit,
      limitScope: row.limitScope,
      limitAt: row.limitAt,
      limitSource: row.limitSource,
    },
    sync: row.sync,
    submittedAt: row.submittedAt,
    decidedAt: row.decidedAt,
    updatedAt: row.updatedAt,
  };
}

export function columnsOf(state: NumberState) {
  return {
    ...state.profile,
    ...state.quality,
    status: state.status,
    attempt: state.attempt,
    revision: state.revision,
    waitingSince: state.waitingSince,
    dueAt: state.dueAt,
    verification: state.verification,
    facebookDecision: state.facebookDecision,
    ending: state.ending,
    approvals: state.approvals,
    question: state.question,
    facebook: state.facebook,
    whatsappName: state.whatsappName,
    sync: state.sync,
    submittedAt: state.submittedAt,
    decidedAt: state.decidedAt,
    updatedAt: state.updatedAt,
  };
}
