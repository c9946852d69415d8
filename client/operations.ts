/** Every operation of the API that programs use, by what it is about. */
import { z } from 'zod';
import {
  accountChanges,
  accountClosure,
  memberChanges,
  newAccount,
  newApiKey,
  newInvitation,
  ownAccountClosure,
} from '../contract/account-fields.ts';
import { accountQuery, apiKeyQuery, auditQuery, invitationQuery } from '../contract/account-queries.ts';
import {
  accountPage,
  accountView,
  apiKeyPage,
  auditPage,
  invitationPage,
  invitationView,
  memberPage,
  memberView,
  newAccountView,
  newApiKeyView,
} from '../contract/account-views.ts';
import {
  callbackProfileFields,
  callbackProfilePage,
  callbackProfileView,
  newCallbackProfileView,
} from '../contract/callback-profiles.ts';
import { submissionCheck } from '../contract/checks.ts';
import {
  deliveryPage,
  deliveryQuery,
  deliveryView,
  eventFeed,
  eventFeedQuery,
  incomingUrlView,
  replayBody,
  replayView,
  secretView,
  testEventBody,
  testEventView,
} from '../contract/delivery-views.ts';
import { codeResend, facebookResumption, verificationCode } from '../contract/facebook-fields.ts';
import { commentBody, decisionBody, numberFields, sideBody } from '../contract/fields.ts';
import { metaConnectionBody, metaConnectionView } from '../contract/meta-connection.ts';
import { newStaff, personChange, personPage, personQuery, personView } from '../contract/people.ts';
import { imageView } from '../contract/pictures.ts';
import { numberQuery, pageQuery } from '../contract/queries.ts';
import {
  claimBody,
  nextBody,
  reviewPage,
  reviewQuery,
  reviewSummary,
  reviewView,
} from '../contract/reviews.ts';
import { categoryList, eventPage, eventView, numberPage, numberView } from '../contract/views.ts';
import type { Operation } from './operation.ts';

// Whether http addresses are taken is the deployment's to say; it changes no type.
const number = numberFields({ allowHttp: false });
const profile = callbackProfileFields({ allowHttp: false });
const pages = z.object(pageQuery);

export const OPERATIONS = {
  numbers: {
    submit: { id: 'submitNumber', call: 'POST /v1/numbers', body: number.submission, answer: numberView },
    check: {
      id: 'checkNumber',
      call: 'POST /v1/numbers/check',
      reads: true,
      body: number.submission.partial(),
      answer: submissionCheck,
    },
    list: { id: 'listNumbers', call: 'GET /v1/numbers', query: numberQuery, page: numberPage },
    get: { id: 'getNumber', call: 'GET /v1/numbers/{id}', answer: numberView },
    edit: { id: 'editNumber', call: 'PATCH /v1/numbers/{id}', body: number.changes, answer: numberView },
    chooseSide: {
      id: 'chooseSide',
      call: 'POST /v1/numbers/{id}/sync',
      body: sideBody,
      answer: numberView,
    },
    resubmit: {
      id: 'resubmitNumber',
      call: 'POST /v1/numbers/{id}/resubmission',
      body: number.changes,
      answer: numberView,
    },
    withdraw: { id: 'withdrawNumber', call: 'POST /v1/numbers/{id}/withdrawal', answer: numberView },
    release: { id: 'releaseNumber', call: 'DELETE /v1/numbers/{id}' },
    enterCode: {
      id: 'enterVerificationCode',
      call: 'POST /v1/numbers/{id}/verification-code',
      body: verificationCode,
      answer: numberView,
    },
    resendCode: {
      id: 'resendVerificationCode',
      call: 'POST /v1/numbers/{id}/verification-code/resend',
      body: codeResend,
      answer: numberView,
    },
    resumeAtFacebook: {
      id: 'resumeAtFacebook',
      call: 'POST /v1/numbers/{id}/facebook-resumption',
      body: facebookResumption,
      answer: numberView,
    },
    events: { id: 'listEvents', call: 'GET /v1/numbers/{id}/events', query: pages, page: eventPage },
    incomingUrl: {
      id: 'getIncomingUrl',
      call: 'GET /v1/numbers/{id}/incoming-url',
      answer: incomingUrlView,
    },
    enableIncomingUrl: {
      id: 'enableIncomingUrl',
      call: 'POST /v1/numbers/{id}/incoming-url/enable',
      answer: incomingUrlView,
    },
    drawIncomingSecret: {
      id: 'drawIncomingSecret',
      call: 'POST /v1/numbers/{id}/incoming-secret',
      answer: secretView,
    },
    sendTestEvent: {
      id: 'sendTestEvent',
      call: 'POST /v1/numbers/{id}/test-event',
      body: testEventBody,
      answer: testEventView,
    },
    deliveries: {
      id: 'listDeliveries',
      call: 'GET /v1/numbers/{id}/deliveries',
      query: deliveryQuery,
      page: deliveryPage,
    },
    replayDeliveries: {
      id: 'replayDeliveries',
      call: 'POST /v1/numbers/{id}/deliveries/replay',
      body: replayBody,
      answer: replayView,
    },
    comment: {
      id: 'commentOnNumber',
      call: 'POST /v1/numbers/{id}/comments',
      body: commentBody,
      answer: eventView,
    },
  },
  images: {
    upload: { id: 'uploadImage', call: 'POST /v1/images', file: true, answer: imageView },
    get: { id: 'getImage', call: 'GET /v1/images/{id}', bytes: true },
  },
  callbackProfiles: {
    list: {
      id: 'listCallbackProfiles',
      call: 'GET /v1/callback-profiles',
      query: pages,
      page: callbackProfilePage,
    },
    create: {
      id: 'createCallbackProfile',
      call: 'POST /v1/callback-profiles',
      body: profile.creation,
      answer: newCallbackProfileView,
    },
    get: { id: 'getCallbackProfile', call: 'GET /v1/callback-profiles/{id}', answer: callbackProfileView },
    change: {
      id: 'changeCallbackProfile',
      call: 'PATCH /v1/callback-profiles/{id}',
      body: profile.changes,
      answer: callbackProfileView,
    },
    delete: { id: 'deleteCallbackProfile', call: 'DELETE /v1/callback-profiles/{id}' },
    enable: {
      id: 'enableCallbackProfile',
      call: 'POST /v1/callback-profiles/{id}/enable',
      answer: callbackProfileView,
    },
    drawSecret: {
      id: 'drawCallbackSecret',
      call: 'POST /v1/callback-profiles/{id}/secret',
      answer: secretView,
    },
  },
  deliveries: {
    get: { id: 'getDelivery', call: 'GET /v1/deliveries/{id}', answer: deliveryView },
    replay: { id: 'replayDelivery', call: 'POST /v1/deliveries/{id}/replay', answer: deliveryView },
  },
  events: {
    read: { id: 'readEvents', call: 'GET /v1/events', query: eventFeedQuery, answer: eventFeed },
  },
  reviews: {
    list: { id: 'listReviews', call: 'GET /v1/reviews', query: reviewQuery, page: reviewPage },
    summary: { id: 'summariseReviews', call: 'GET /v1/reviews/summary', answer: reviewSummary },
    next: {
      id: 'nextReview',
      call: 'POST /v1/reviews/next',
      body: nextBody,
      answer: reviewView,
      orNull: true,
    },
    claim: { id: 'claimReview', call: 'PUT /v1/numbers/{id}/claim', body: claimBody, answer: reviewView },
    release: { id: 'releaseReview', call: 'DELETE /v1/numbers/{id}/claim' },
    verify: {
      id: 'verifyNumber',
      call: 'POST /v1/numbers/{id}/verification',
      body: decisionBody,
      answer: numberView,
    },
    recordFacebookDecision: {
      id: 'recordFacebookDecision',
      call: 'POST /v1/numbers/{id}/facebook-decision',
      body: decisionBody,
      answer: numberView,
    },
  },
  account: {
    get: { id: 'getAccount', call: 'GET /v1/account', answer: accountView },
    change: { id: 'changeAccount', call: 'PATCH /v1/account', body: accountChanges, answer: accountView },
    close: {
      id: 'closeOwnAccount',
      call: 'POST /v1/account/closure',
      body: ownAccountClosure,
      answer: accountView,
    },
  },
  metaConnection: {
    get: { id: 'getMetaConnection', call: 'GET /v1/meta-connection', answer: metaConnectionView },
    set: {
      id: 'connectMeta',
      call: 'PUT /v1/meta-connection',
      body: metaConnectionBody,
      answer: metaConnectionView,
    },
  },
  members: {
    list: { id: 'listMembers', call: 'GET /v1/members', query: pages, page: memberPage },
    change: {
      id: 'changeMember',
      call: 'PATCH /v1/members/{personId}',
      body: memberChanges,
      answer: memberView,
    },
    remove: { id: 'removeMember', call: 'DELETE /v1/members/{personId}' },
  },
  invitations: {
    list: {
      id: 'listInvitations',
      call: 'GET /v1/invitations',
      query: invitationQuery,
      page: invitationPage,
    },
    send: { id: 'invite', call: 'POST /v1/invitations', body: newInvitation, answer: invitationView },
    revoke: { id: 'revokeInvitation', call: 'DELETE /v1/invitations/{id}' },
  },
  apiKeys: {
    list: { id: 'listApiKeys', call: 'GET /v1/api-keys', query: apiKeyQuery, page: apiKeyPage },
    create: { id: 'createApiKey', call: 'POST /v1/api-keys', body: newApiKey, answer: newApiKeyView },
    revoke: { id: 'revokeApiKey', call: 'DELETE /v1/api-keys/{id}' },
  },
  accounts: {
    list: { id: 'listAccounts', call: 'GET /v1/accounts', query: accountQuery, page: accountPage },
    create: { id: 'createAccount', call: 'POST /v1/accounts', body: newAccount, answer: newAccountView },
    get: { id: 'getAccountById', call: 'GET /v1/accounts/{id}', answer: accountView },
    change: {
      id: 'changeAccountById',
      call: 'PATCH /v1/accounts/{id}',
      body: accountChanges,
      answer: accountView,
    },
    close: {
      id: 'closeAccount',
      call: 'POST /v1/accounts/{id}/closure',
      body: accountClosure,
      answer: accountView,
    },
  },
  audit: {
    list: { id: 'listAudit', call: 'GET /v1/audit', query: auditQuery, page: auditPage },
  },
  people: {
    list: { id: 'listPeople', call: 'GET /v1/people', query: personQuery, page: personPage },
    add: { id: 'addPerson', call: 'POST /v1/people', body: newStaff, answer: personView },
    update: { id: 'updatePerson', call: 'PATCH /v1/people/{id}', body: personChange, answer: personView },
    resetTwoFactor: { id: 'resetTwoFactor', call: 'DELETE /v1/people/{id}/two-factor' },
  },
  businessCategories: {
    list: { id: 'listBusinessCategories', call: 'GET /v1/business-categories', answer: categoryList },
  },
} as const satisfies Record<string, Record<string, Operation>>;
