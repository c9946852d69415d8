import { describe, expect, it } from 'vitest';
import { nameWarnings } from '../../contract/display-name.ts';

const codes = (name: string, website: string | null = null) =>
  nameWarnings(name, website).map(({ code }) => code);

describe('a name', () => {
  it.each([
    ['AB', 'name_too_short'],
    ['日本', 'name_too_short'],
    ['WIDGETS INC', 'name_all_caps'],
    ['ΑΘΗΝΑ', 'name_all_caps'],
    ['Widgets  Inc', 'name_spaces'],
    ['Widgets®', 'name_characters'],
    ['Widgets ™', 'name_characters'],
    ['Widgets 😀', 'name_characters'],
    ['Widgets 1️⃣', 'name_characters'],
    ['#1 Widgets', 'name_characters'],
    ['Widgets_Rome', 'name_characters'],
    ['Widgets!!', 'name_characters'],
    ['Booking.com', 'name_address'],
    ['www.widgets', 'name_address'],
    ['Widgets (widgets.co.uk)', 'name_address'],
    ['Official Widgets', 'name_reserved'],
    ['Widgets Verified', 'name_reserved'],
    ['Widgets on WhatsApp', 'name_reserved'],
    ['Customer Support', 'name_generic'],
    ['The Best Shop', 'name_generic'],
    ['We sell the best widgets in town', 'name_description'],
    ['Mr John Smith', 'name_person'],
    ['Herr Müller', 'name_person'],
  ])('%s has the warning %s', (name, code) => {
    expect(codes(name)).toEqual([code]);
  });

  it.each([
    'Widgets number',
    'IBM',
    'C&A',
    '7-Eleven',
    'Yahoo!',
    'L’Oréal',
    'Widgets Inc.',
    'Müller & Söhne (Rom)',
    'St. Moritz Hotel',
    'Node.js Experts',
    'Co. 24/7',
    'Metalworks',
    'Best Western',
    'Dr. Oetker',
    'Straße 12',
    'مطعم الشام',
  ])('%s has none', (name) => {
    expect(codes(name)).toEqual([]);
  });

  it('may have several, each with the reason that Meta would give', () => {
    expect(nameWarnings('OFFICIAL  SHOP!!', null)).toEqual(
      ['name_all_caps', 'name_spaces', 'name_characters', 'name_reserved'].map((code) => ({
        code,
        metaReason: 'NAME_FORMAT_UNACCEPTABLE',
        detail: expect.stringMatching(/Check that|Meta refuses/),
      })),
    );
    expect(nameWarnings('Mrs Jane Doe', null)).toMatchObject([{ metaReason: 'NAME_INDIVIDUAL_ISSUE' }]);
    expect(nameWarnings('Widgets', 'https://other.com')).toMatchObject([
      { metaReason: 'NAME_NOT_CONSISTENT' },
    ]);
  });
});

describe('a name and a website', () => {
  it.each([
    ['Acme', 'https://www.acme.com'],
    ['Acme Ltd', 'https://shop.acme.co.uk/en'],
    ['Widgets number', 'https://getwidgets.com'],
    ['Café Roma', 'https://caferoma.it'],
    ['Große Müller', 'https://mueller.de'],
    ['Große Müller', 'https://muller.de'],
    ['International Business Machines', 'https://ibm.com'],
    ['Acme', 'https://acme.wixsite.com'],
    ['Acme', 'https://facebook.com/acme'],
    ['Two Old Men', 'https://twooldmen.com'],
    // What a rule cannot tell.
    ['日本酒', 'https://other.com'],
    ['Acme', 'https://xn--mller-kva.de'],
    ['Acme', 'https://192.0.2.1'],
  ])('%s and %s go together', (name, website) => {
    expect(codes(name, website)).toEqual([]);
  });

  it.each([
    ['Acme', 'https://other.com'],
    ['Widgets Shop', 'https://bookshop.com'],
    ['Acme', 'https://acm.com.other.com'],
  ])('%s and %s do not', (name, website) => {
    expect(codes(name, website)).toEqual(['name_not_website']);
  });
});
