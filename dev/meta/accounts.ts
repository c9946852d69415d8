/** The app and the accounts of the embedded stack. Nothing of them is secret: the simulator listens on 127.0.0.1 only. */
import type { SeedAccount } from './state.ts';

export const STACK_APP = {
  appId: '1029384756102938',
  appSecret: 'd7c8a2b4e6f80123456789abcdef0123',
  verifyToken: 'numbers-verify-token',
};

/** Ours serves accounts without their own. */
export const OUR_ACCOUNT: SeedAccount = {
  wabaId: '102290129340398',
  businessId: '506914307656634',
  name: 'Numbers platform',
  token: 'EAAsimulatedTokenOfNumbersPlatform',
};

export const STACK_ACCOUNTS: readonly SeedAccount[] = [
  OUR_ACCOUNT,
  {
    wabaId: '215589313241560',
    businessId: '617025418767745',
    name: 'Widgets Inc.',
    token: 'EAAsimulatedTokenOfWidgetsInc',
  },
];
