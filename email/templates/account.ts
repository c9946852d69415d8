/** About accounts and the people in them. */
import type {
  AccountClosedData,
  InvitationData,
  LinkEmailData,
  PasswordEmailData,
  StaffInvitationData,
} from '../../contract/emails.ts';
import { minute } from '../../contract/text.ts';
import { type Block, isolated, type Letter, linkBlock } from '../letter.ts';
import { paragraph } from './number.ts';

export function verifyEmail(data: LinkEmailData): Letter {
  return {
    subject: 'Please confirm your email address',
    heading: 'Please confirm your email address',
    blocks: [
      // No name: whoever signs up with somebody's address would write to them in our name.
      paragraph('Hello,'),
      paragraph('somebody, hopefully you, signed up with this address. Please confirm that it is yours.'),
      linkBlock('Confirm this address', data.link),
      onlyYours(data),
      paragraph('If it was not you, ignore this email: nothing happens without your confirmation.'),
    ],
  };
}

export function resetPassword(data: PasswordEmailData): Letter {
  if (data.signedUp) return signedUpAgain(data);
  return {
    subject: 'Set a new password',
    heading: 'Set a new password',
    blocks: [
      paragraph(`Hello ${isolated(data.name)},`),
      paragraph('somebody, hopefully you, asked for a new password.'),
      linkBlock('Set a new password', data.link),
      onlyYours(data),
      paragraph('If it was not you, ignore this email: your password stays as it is.'),
    ],
  };
}

function signedUpAgain(data: PasswordEmailData): Letter {
  return {
    subject: 'You have an account already',
    heading: 'You have an account already',
    blocks: [
      paragraph(`Hello ${isolated(data.name)},`),
      paragraph(
        'somebody, hopefully you, signed up with this address, which has an account already. Sign in with your password, or set a new one if you have forgotten it.',
      ),
      linkBlock('Set a new password', data.link),
      onlyYours(data),
      paragraph('If it was not you, ignore this email: your account and your password stay as they are.'),
    ],
  };
}

export function invitation(data: InvitationData): Letter {
  const by = data.invitedBy === null ? 'You are invited' : `${isolated(data.invitedBy)} invites you`;
  const as = data.role === 'admin' ? 'an admin' : 'a member';
  return {
    subject: `You are invited to ${data.accountName}`,
    heading: `You are invited to ${data.accountName}`,
    blocks: [
      paragraph(
        `${by} to join ${isolated(data.accountName)} as ${as}, to submit and follow its WhatsApp Business numbers.`,
      ),
      linkBlock('Accept the invitation', data.link),
      onlyYours(data),
      paragraph('If you did not expect this, ignore this email.'),
    ],
  };
}

export function staffInvitation(data: StaffInvitationData): Letter {
  return {
    subject: 'Your sign-in for number approval',
    heading: 'Your sign-in for number approval',
    blocks: [
      paragraph(`Hello ${isolated(data.name)},`),
      paragraph(
        `you can now work with number approval as ${data.role === 'support' ? 'support staff' : 'an operator'}. Set a password to sign in with this address.`,
      ),
      linkBlock('Set your password', data.link),
      onlyYours(data),
    ],
  };
}

export function accountClosed(data: AccountClosedData): Letter {
  return {
    subject: `The account ${data.accountName} is closed`,
    heading: 'The account is closed',
    blocks: [
      paragraph(
        `The account ${isolated(data.accountName)} is closed. Its pending numbers are withdrawn, its approved ones released, and its keys do not work any more.`,
      ),
      paragraph(`Its personal data is erased after ${minute(data.eraseAt)}.`),
      paragraph('If you did not expect this, please contact our support team before then.'),
    ],
  };
}

function onlyYours({ expiresAt }: LinkEmailData): Block {
  return paragraph(`The link is for you alone. It works once, until ${minute(expiresAt)}.`);
}
