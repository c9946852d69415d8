/**
 * Meta's rules for display names, as far as a simple rule can tell. What it says is a hint for people, never a
 * refusal: a brand may be written as no rule would have it. Source: Meta's display name guidelines.
 */
import { getDomain, parse } from 'tldts';

/** Why Meta declines a name, in its webhook's words. */
export const META_NAME_REASONS = [
  'NAME_EMPLOYEE_ISSUE',
  'NAME_ENDCLIENT_NOTRELATED',
  'NAME_FORMAT_UNACCEPTABLE',
  'NAME_INDIVIDUAL_ISSUE',
  'NAME_NOT_CONSISTENT',
  'UNKNOWN',
] as const;
type MetaNameReason = (typeof META_NAME_REASONS)[number];

export const NAME_WARNING_CODES = [
  'name_too_short',
  'name_all_caps',
  'name_spaces',
  'name_characters',
  'name_address',
  'name_reserved',
  'name_generic',
  'name_description',
  'name_person',
  'name_not_website',
] as const;

export interface NameWarning {
  code: (typeof NAME_WARNING_CODES)[number];
  /** The reason that Meta would give. */
  metaReason: MetaNameReason;
  /** What to look at. */
  detail: string;
}

interface Rule extends NameWarning {
  breaks: (name: string) => boolean;
}

/** Words that say of an account what only Meta may say, and Meta's own brands. */
const RESERVED = new Set(['official', 'verified', 'meta', 'facebook', 'instagram', 'messenger', 'whatsapp']);
/** A name of nothing but these tells nobody which business it is. */
const GENERIC = new Set(
  `a an and & for my of our the your best business care center centre company contact customer customers delivery
  desk help helpdesk hotel hotline info information line marketing mobile number office online order orders phone
  restaurant sale sales service services shop store support team test`.split(/\s+/),
);
/** Marks that names of businesses have: "C&A", "Smith's", "Ben, Jerry + Co.", "Yahoo!", "Widgets (Rome)". */
const UNUSUAL = /[^\p{L}\p{M}\p{N}\p{Z}&'’.,+!()/·-]|\u20e3/u;
/** A form of address before one to three words with a capital letter each. */
const PERSON =
  /^(Mr|Mrs|Ms|Miss|Mx|Sir|Madam|Herr|Frau|Signora?|Monsieur|Madame|Señora?)\.?(\s\p{Lu}[\p{L}'’-]+){1,3}$/u;
const MOST_WORDS = 6;

const RULES: Rule[] = [
  {
    code: 'name_too_short',
    metaReason: 'NAME_FORMAT_UNACCEPTABLE',
    detail: 'Shorter than 3 characters. Check that the business is known by just this.',
    breaks: (name) => [...name].length < 3,
  },
  {
    code: 'name_all_caps',
    metaReason: 'NAME_FORMAT_UNACCEPTABLE',
    detail: 'Capital letters only. Check that the brand is written so.',
    breaks: (name) => /\p{Lu}{4}/u.test(name) && !/\p{Ll}/u.test(name),
  },
  {
    code: 'name_spaces',
    metaReason: 'NAME_FORMAT_UNACCEPTABLE',
    detail: 'Two spaces or more in a row. Check that no word is missing and that they are no slip.',
    breaks: (name) => /\p{Z}{2}/u.test(name),
  },
  {
    code: 'name_characters',
    metaReason: 'NAME_FORMAT_UNACCEPTABLE',
    detail:
      'An emoji, a sign like ™, or unusual or repeated punctuation. Check that it is part of the brand.',
    breaks: (name) => UNUSUAL.test(name) || /(\p{P})\1/u.test(name),
  },
  {
    code: 'name_address',
    metaReason: 'NAME_FORMAT_UNACCEPTABLE',
    detail: 'Reads like a web or email address. Check that the brand is called so.',
    breaks: (name) => /@\S|:\/\/|\bwww\./i.test(name) || name.split(/\p{Z}+/u).some(isDomain),
  },
  {
    code: 'name_reserved',
    metaReason: 'NAME_FORMAT_UNACCEPTABLE',
    detail: 'Names one of Meta\'s brands, or says "official" or "verified". Meta refuses both.',
    breaks: (name) => wordsOf(name).some((word) => RESERVED.has(word)),
  },
  {
    code: 'name_generic',
    metaReason: 'NAME_FORMAT_UNACCEPTABLE',
    detail: 'Has general words only. Check that it tells which business it is.',
    breaks: (name) => wordsOf(name).length > 0 && wordsOf(name).every((word) => GENERIC.has(word)),
  },
  {
    code: 'name_description',
    metaReason: 'NAME_FORMAT_UNACCEPTABLE',
    detail: `More than ${MOST_WORDS} words: reads like a slogan or a description. Check that it is the name.`,
    breaks: (name) => wordsOf(name).length > MOST_WORDS,
  },
  {
    code: 'name_person',
    metaReason: 'NAME_INDIVIDUAL_ISSUE',
    detail: "Reads like one person's full name. Check that it is the name of a business.",
    breaks: (name) => PERSON.test(name),
  },
];

/** What Meta may not like about a name, with what to check, for customers and reviewers alike; in a fixed order. */
export function nameWarnings(displayName: string, website: string | null): NameWarning[] {
  const broken: NameWarning[] = RULES.filter(({ breaks }) => breaks(displayName)).map(
    ({ code, metaReason, detail }) => ({ code, metaReason, detail }),
  );
  if (website !== null && !isConsistent(displayName, website)) {
    const detail = `Has nothing in common with the address ${website}. Check that the website shows the name.`;
    broken.push({ code: 'name_not_website', metaReason: 'NAME_NOT_CONSISTENT', detail });
  }
  return broken;
}

/**
 * Whether name and address share a word of three letters or the initials. True where that says nothing: for names
 * in another script, and addresses that are encoded or a number.
 */
function isConsistent(name: string, website: string): boolean {
  const url = URL.parse(website);
  const { domainWithoutSuffix, subdomain, isIp } = parse(website);
  if (!url || isIp || !domainWithoutSuffix || url.hostname.includes('xn--')) return true;
  const address = plain(`${subdomain}${domainWithoutSuffix}${url.pathname}`);
  const domain = plain(domainWithoutSuffix);
  return [name, germanised(name)].some((spelling) => {
    const words = wordsOf(spelling).map(plain).filter(Boolean);
    const telling = words.filter((word) => word.length >= 3 && !GENERIC.has(word));
    const initials = words.map((word) => word[0]).join('');
    return (
      words.length === 0 ||
      telling.some((word) => address.includes(word)) ||
      words.join('').includes(domain) ||
      (initials.length >= 2 && domain.startsWith(initials))
    );
  });
}

function wordsOf(name: string): string[] {
  return name.toLowerCase().match(/[\p{L}\p{M}\p{N}&]+/gu) ?? [];
}

/** Latin letters and digits only, without accents. */
function plain(text: string): string {
  return text
    .toLowerCase()
    .normalize('NFD')
    .replace(/[^a-z0-9]/g, '');
}

/** As German is written without umlauts: "Müller" is at mueller.example. */
function germanised(text: string): string {
  const spelt: Record<string, string> = { ä: 'ae', ö: 'oe', ü: 'ue', ß: 'ss' };
  return text.toLowerCase().replace(/[äöüß]/g, (letter) => spelt[letter] ?? letter);
}

function isDomain(word: string): boolean {
  const bare = word.replace(/[.,!)]+$/, '').replace(/^\(/, '');
  return bare.includes('.') && parse(bare).isIcann === true && getDomain(bare) !== null;
}
