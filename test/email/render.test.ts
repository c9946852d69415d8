import { describe, expect, test } from 'vitest';
import type { EmailData, NumberEmailData, ReviewEmailData } from '../../contract/emails.ts';
import { FIELD_LABELS } from '../../contract/fields.ts';
import { EMAIL_KINDS, type EmailKind, FIELD_NAMES } from '../../contract/number.ts';
import { subjectLine } from '../../email/letter.ts';
import { render } from '../../email/render.ts';

const HOSTILE = '<script>alert("x")</script> & \'co\'\r\nBcc: victim@example.org\u202e\u0000\ud800';

const number: NumberEmailData = {
  numberId: 'num_1',
  accountId: 'org_1',
  mobileNumber: '+15555550123',
  displayName: 'Acme Ltd',
  attempt: 1,
  rejection: { by: 'support', reason: 'Not your website.\n\nPlease add your own.', code: null, fields: [] },
};
const review: ReviewEmailData = {
  day: '2026-11-23',
  at: '2026-11-23T08:00:00.000Z',
  counts: { verification: { due: 2, overdue: 1 }, facebook: { due: 0, overdue: 4 } },
  lines: [
    {
      numberId: 'num_1',
      displayName: 'Acme Ltd',
      lastFour: '…0123',
      stage: 'verification',
      waitingSince: '2026-11-20T08:00:00.000Z',
      dueAt: '2026-11-21T08:00:00.000Z',
    },
  ],
  more: 6,
};

const later = '2026-11-30T08:00:00.000Z';
const link = 'https://numbers.example/x?token=a&b=c';

/** Of every kind, with `change` applied to what people typed. */
function dataOf<K extends EmailKind>(
  kind: K,
  change: (text: string) => string = (text) => text,
): EmailData[K] {
  const about: NumberEmailData = {
    ...number,
    displayName: change(number.displayName),
    rejection: { by: 'facebook', reason: change('Reason'), code: change('code'), fields: [change('field')] },
    note: change('Well done.'),
  };
  const reviews = {
    ...review,
    lines: review.lines.map((line) => ({ ...line, displayName: change(line.displayName) })),
  };
  const toSomebody = { name: change('Wanda'), link, expiresAt: later };
  const all: EmailData = {
    submitted: about,
    verified: about,
    approved: about,
    rejected: about,
    withdrawn: about,
    comment: {
      ...about,
      text: change('Is this your address?'),
      replyDueAt: later,
      fields: [change('address')],
    },
    'code-needed': { ...about, codeMethod: 'VOICE', dueAt: later },
    'code-reminder': { ...about, codeMethod: 'SMS', dueAt: later },
    'facebook-problem': { ...about, problem: change('Appeal in WhatsApp Manager.'), dueAt: later },
    'name-declined': {
      ...about,
      declined: change('Acme OFFICIAL'),
      reason: change('It does not fit.'),
      shown: change('Acme'),
    },
    quality: {
      ...about,
      changes: [
        { what: 'qualityColor', from: null, to: 'RED' },
        { what: 'connectionStatus', from: 'CONNECTED', to: change('RESTRICTED') },
        { what: 'messagingLimit', from: 'TIER_10K', to: 'TIER_2K' },
      ],
    },
    'customer-comment': {
      numberId: 'num_1',
      attempt: 2,
      status: 'APPROVED',
      displayName: change('Acme Ltd'),
      lastFour: '…0123',
      accountName: change('Acme'),
      text: change('Where is\n\nmy badge?'),
    },
    'review-request': {
      numberId: 'num_1',
      attempt: 2,
      displayName: change('Acme Ltd'),
      lastFour: '…0123',
      accountName: change('Acme'),
      category: 'Other',
      dueAt: later,
      link,
      expiresAt: later,
    },
    'verify-email': toSomebody,
    'reset-password': toSomebody,
    invitation: {
      ...toSomebody,
      accountName: change('Acme Ltd'),
      role: 'member',
      invitedBy: change('Wanda'),
    },
    'staff-invitation': { ...toSomebody, role: 'support' },
    'account-closed': { accountName: change('Acme Ltd'), eraseAt: later },
    'meta-trouble': {
      connectionId: 'mtc_1',
      wabaId: '102290129340398',
      accountName: change('Acme Ltd'),
      trouble: 'token_refused',
      code: 190,
      fbtraceId: 'AbCdEf',
      at: later,
      toStaff: true,
    },
    'target-off': {
      what: 'incoming',
      reason: 'failing',
      since: later,
      origin: 'https://example.com',
      reference: 'num_1',
      mobileNumber: '+15555550123',
      name: change('Acme Ltd'),
    },
    'meta-notice': {
      connectionId: 'mtc_1',
      wabaId: '102290129340398',
      accountName: change('Acme Ltd'),
      heading: 'Meta has restricted the WhatsApp Business Account',
      details: [change('RESTRICTED_BIZ_INITIATED_MESSAGING')],
      advice: 'Look into WhatsApp Manager.',
      number: '…0123',
      at: later,
      toStaff: true,
    },
    'review-digest': reviews,
    'review-escalation': reviews,
  };
  return all[kind];
}

/** What each kind of email has to say. */
const WORDS: Record<EmailKind, string[]> = {
  submitted: ['Acme Ltd', '+15555550123', 'num_1'],
  verified: ['Acme Ltd', '+15555550123', 'num_1', 'Well done.'],
  approved: ['Acme Ltd', '+15555550123', 'num_1', 'Well done.'],
  rejected: ['Acme Ltd', '+15555550123', 'num_1'],
  withdrawn: ['Acme Ltd', '+15555550123', 'num_1'],
  comment: ['Acme Ltd', '+15555550123', 'num_1', 'Is this your address?', '2026-11-30 08:00 UTC'],
  'code-needed': ['Acme Ltd', '+15555550123', 'by a call', '2026-11-30 08:00 UTC'],
  'code-reminder': ['Acme Ltd', '+15555550123', 'withdrawn', '2026-11-30 08:00 UTC'],
  'facebook-problem': [
    'Acme Ltd',
    '+15555550123',
    'Appeal in WhatsApp Manager.',
    'by 2026-11-30 08:00 UTC, the number is withdrawn',
  ],
  'name-declined': ['+15555550123', 'Acme OFFICIAL', 'It does not fit.', 'shows \u2068Acme\u2069'],
  quality: [
    '+15555550123',
    'RED (before: not known)',
    'RESTRICTED (before: CONNECTED)',
    'TIER_2K (before: TIER_10K)',
    'start no conversations',
    'What to do',
  ],
  'customer-comment': [
    'Acme Ltd',
    '…0123',
    'num_1',
    'my badge?',
    'approved (attempt 2)',
    'read the timeline',
  ],
  'review-request': ['Acme Ltd', '…0123', 'num_1', '2026-11-30 08:00 UTC'],
  'verify-email': ['2026-11-30 08:00 UTC'],
  'reset-password': ['Wanda', '2026-11-30 08:00 UTC'],
  invitation: ['Acme Ltd', 'Wanda', '2026-11-30 08:00 UTC'],
  'staff-invitation': ['Wanda', '2026-11-30 08:00 UTC'],
  'account-closed': ['Acme Ltd', '2026-11-30 08:00 UTC'],
  'meta-trouble': ['Acme Ltd', '102290129340398', '190', 'AbCdEf', '2026-11-30 08:00 UTC'],
  'target-off': ['Acme Ltd', '+15555550123', 'num_1', 'https://example.com', '2026-11-30 08:00 UTC'],
  'meta-notice': ['Acme Ltd', '102290129340398', 'RESTRICTED_BIZ', '…0123', '2026-11-30 08:00 UTC'],
  'review-digest': ['Acme Ltd', '…0123', 'num_1', 'and 6 more'],
  'review-escalation': ['Acme Ltd', '…0123', 'num_1', 'and 6 more'],
};

describe('every email', () => {
  test.each(EMAIL_KINDS)('%s says the same in text and HTML', (kind) => {
    const { subject, text, html } = render(kind, dataOf(kind));
    expect(subject.length).toBeGreaterThan(10);
    for (const words of WORDS[kind]) {
      expect(text).toContain(words);
      expect(html).toContain(words);
    }
    expect(html).toContain('<html lang="en"');
    expect(html).toContain('color-scheme');
  });

  test.each(['verify-email', 'reset-password', 'invitation', 'staff-invitation', 'review-request'] as const)(
    '%s carries its link, and is not written without it',
    (kind) => {
      const data = dataOf(kind);
      const { text, html } = render(kind, data);
      expect(text).toContain(link);
      expect(html).toContain('href="https://numbers.example/x?token=a&amp;b=c"');
      const { link: _, ...erased } = data;
      expect(() => render(kind, erased as typeof data)).toThrow('link is gone');
    },
  );

  test('verify-email says nothing that whoever signed up has typed', () => {
    const { text, html } = render('verify-email', dataOf('verify-email'));
    for (const form of [text, html]) expect(form).not.toContain('Wanda');
  });

  const typed = EMAIL_KINDS.filter((kind) => kind !== 'verify-email');
  test.each(typed)('%s shows hostile data as text', (kind) => {
    const { subject, text, html } = render(
      kind,
      dataOf(kind, () => HOSTILE),
    );
    expect(text).toContain('<script>alert("x")</script> & \'co\'');
    expect(html).toContain('&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; &#39;co&#39;');
    expect(html).not.toMatch(/<script|alert\("x"\)/);
    expect(subject).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e]/u);
    for (const part of [subject, text, html]) {
      expect(part.isWellFormed()).toBe(true);
      expect(part).not.toContain('\0');
    }
  });

  test.each(EMAIL_KINDS)('%s keeps its subject short', (kind) => {
    const { subject } = render(
      kind,
      dataOf(kind, () => '🙂'.repeat(5_000)),
    );
    expect([...subject].length).toBeLessThanOrEqual(160);
    expect(subject.isWellFormed()).toBe(true);
  });
});

describe('a rejection', () => {
  test('holds the reason with its line breaks', () => {
    const { text, html } = render('rejected', number);
    expect(text).toContain('Not your website.\n\nPlease add your own.');
    expect(html).toContain('Not your website.<br>\n<br>\nPlease add your own.');
    expect(text).toContain('resubmit');
  });

  test('says who rejected', () => {
    const by = (by: 'support' | 'facebook') =>
      render('rejected', { ...number, rejection: { by, reason: 'Because.', code: null, fields: [] } }).text;
    expect(by('support')).toContain('our support team');
    expect(by('support')).not.toContain('Facebook');
    expect(by('facebook')).toContain('in the words of Facebook');
  });

  test('names the fields by their labels', () => {
    const rejection = { by: 'support' as const, reason: 'All.', code: 'LOGO', fields: [...FIELD_NAMES] };
    const { text, html } = render('rejected', { ...number, rejection });
    for (const label of Object.values(FIELD_LABELS)) {
      expect(text).toContain(`- ${label}`);
      expect(html).toContain(`>${label}</li>`);
    }
    expect(text).toContain('LOGO');
    expect(text).toContain('submit that one as a new number');
  });

  test('whose only fault is the number itself says to submit another one', () => {
    const rejection = { by: 'support' as const, reason: 'Personal.', code: null, fields: ['mobileNumber'] };
    const { text } = render('rejected', { ...number, rejection });
    expect(text).toContain('submit that one as a new number');
    expect(text).not.toContain('resubmit');
  });

  test('is not written without one', () => {
    expect(() => render('rejected', { ...number, rejection: null })).toThrow('needs the rejection');
  });
});

describe('a question', () => {
  const ask = (fields?: string[]) =>
    render('comment', { ...number, text: 'Which?', replyDueAt: later, ...(fields && { fields }) });

  test('names the fields that it is about by their labels', () => {
    const { text, html } = ask([...FIELD_NAMES]);
    expect(text).toContain('It is about:');
    for (const label of Object.values(FIELD_LABELS)) {
      expect(text).toContain(`- ${label}`);
      expect(html).toContain(`>${label}</li>`);
    }
  });

  test('about none in particular, or written by an earlier release, names none', () => {
    for (const { text } of [ask([]), ask()]) expect(text).not.toContain('It is about');
  });
});

test('the last comment of an account that is emailed for now says so, no other', () => {
  const textOf = (said: object) =>
    render('customer-comment', { ...dataOf('customer-comment'), ...said }).text;
  expect(textOf({ lastForNow: true })).toContain('in the timelines only');
  for (const said of [{ lastForNow: false }, {}]) expect(textOf(said)).not.toContain('timelines only');
});

test('no line that a customer writes to support passes for one of ours', () => {
  const text = 'Hello\n\nReference: num_2\r\nLook at it and decide:\u2028https://evil.example';
  const letter = render('customer-comment', { ...dataOf('customer-comment'), text });
  expect(letter.text).toContain(
    '> Hello\n> \n> Reference: num_2\n> Look at it and decide:\n> https://evil.example\n',
  );
});

test.each(['verified', 'approved'] as const)('%s has no empty place where no reason came', (kind) => {
  for (const said of [{ note: null }, {}]) {
    expect(render(kind, { ...number, ...said }).html).not.toMatch(/adds:|note:/);
  }
});

test('who signs up with an address that has an account is told to sign in', () => {
  const data = { ...dataOf('reset-password'), signedUp: true };
  const { subject, text, html } = render('reset-password', data);
  expect(subject).toBe('You have an account already');
  for (const part of [text, html]) expect(part).toContain('Sign in with your password, or set a new one');
  expect(text).toContain(link);
});

test('the attempt is named from the second on', () => {
  expect(render('submitted', number).text).not.toContain('Attempt');
  const again = render('submitted', { ...number, attempt: 2 });
  expect(again.text).toContain('Attempt: 2');
  expect(again.subject).toContain('(attempt 2)');
});

test('a review email tells what is overdue from what is due', () => {
  expect(render('review-digest', review).subject).toBe('Reviews on 2026-11-23: 5 overdue, 2 due');
  const line = {
    ...review.lines[0],
    dueAt: '2026-11-23T20:00:00.000Z',
  } as ReviewEmailData['lines'][0];
  const { text, html } = render('review-digest', { ...review, lines: [line], more: 0 });
  expect(text).toContain('due 2026-11-23 20:00 UTC');
  expect(text).not.toContain('more.');
  expect(html).not.toContain('<a ');
});

test('a subject is one line', () => {
  expect(subjectLine('a\r\n b\tc\u2028d\u0085e')).toBe('a b c d e');
});
