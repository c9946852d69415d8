/** SQL of the rows that are seeded. What is drawn follows from a hash of the row's number: each time the same. */

export interface Seed {
  numbers: number;
  accounts: number;
}

/** SQL of an id like `newId` makes: the milliseconds in hex, then what tells ids of one millisecond apart. */
const id = (prefix: string, time: string, hash: string) =>
  `'${prefix}_' || lpad(to_hex((extract(epoch from ${time}) * 1000)::bigint), 12, '0') || '7' || substr(${hash}, 1, 3) || '8' || substr(${hash}, 4, 15)`;

/** SQL that picks one of the words by a number. */
const pick = (words: string[], by: string) =>
  `(array[${words.map((word) => `'${word}'`).join(', ')}])[1 + (${by}) % ${words.length}]`;

const words = (text: string) => text.split(/\s+/);
const FIRST =
  words(`Al Bel Cor Dan El Far Gal Hol In Jor Kal Lum Mar Nor Or Pel Quin Ros Sil Tor Ul Ver Win Xan Yor
  Zel`);
const SECOND = words('a be co di e fo ga hi i ko la mo ne o pi ra sa ti u va');
const THIRD = words('bert dale ford gard ham kin land mont nell port quist ris son ton vale wick x yard zen');
const TRADES =
  words(`Bakery Books Cars Clinic Coffee Dental Design Flowers Foods Garden Hotel Kitchen Legal Market
  Motors Music Optics Pharmacy Pizza Repairs School Shoes Sports Studio Tailors Tea Tours Toys Travel Yoga`);
const CITIES =
  words(`Athens Berlin Bogota Dublin Geneva Hanoi Lagos Lima Lisbon London Lyon Madrid Milan Mumbai Nairobi
  Oslo Porto Prague Quito Riga Rome Seoul Turin Vienna Warsaw Zagreb`);
const FORMS = words('Ltd Inc. GmbH S.r.l. Co-op');
const CATEGORIES = words(
  'AUTO BEAUTY APPAREL EDU FINANCE GROCERY HOTEL HEALTH RETAIL TRAVEL RESTAURANT ALCOHOL OTHER',
);
const AREAS = words('212 213 305 312 404 415 512 602 617 702');

/** Each has a callback profile. */
export const accounts = (plan: Seed) => `
  create temporary table account on commit drop as
    select k, ${id('org', 'at', 'md5(k::text)')} as id, at, ${id('key', 'at', "md5('key' || k)")} as key_id,
      ${id('cbp', 'at', "md5('cbp' || k)")} as profile_id
    from generate_series(0, ${plan.accounts - 1}) k,
      lateral (select now() - interval '750 days' + k * interval '1 second' as at);
  insert into organizations (id, name, slug, notification_emails, created_at)
    select id, 'Account ' || k, 'account-' || k, array['account-' || k || '@customers.example'], at from account;
  insert into callback_profiles (id, account_id, name, url, statuses)
    select profile_id, id, 'Statuses', 'https://account-' || k || '.example/statuses', '{sent,delivered,read}' from account`;

/** Supporters, who have decided everything. */
export const people = () => `
  insert into people (id, name, email, email_verified, role)
    select ${id('usr', "now() - interval '750 days' + k * interval '1 second'", "md5('usr' || k)")},
      'Supporter ' || k, 'supporter-' || k || '@numbers.example', true, 'support'
    from generate_series(0, 19) k`;

/**
 * Numbers came in evenly over two years. Every second one is of the largest account, the others fall off over the
 * rest. Of the latest 3 in 100 a fifth is pending. A tenth of the approved was edited at any time since.
 */
export const numbers = (plan: Seed) => `
  create temporary table supporter on commit drop as
    select row_number() over (order by id) - 1 as k, id from people;
  insert into numbers (
    id, account_id, mobile_number, display_name, incoming_url, callback_profile_id, address, business_description,
    business_category, contact_email, website, status, attempt, revision, waiting_since, due_at, verification,
    facebook_decision, ending, previous_reviewer_id, submitted_by, submitted_at, decided_at, created_at, updated_at,
    started_attempt)
  select
    ${id('num', 'created', 'h')}, a.id,
    case r % 5
      when 0 then '+447' || lpad((r % 89 + 10)::text, 2, '0') || subscriber
      when 1 then '+49151' || subscriber
      when 2 then '+91981' || subscriber
      else '+1' || ${pick(AREAS, 'r / 5')} || subscriber end,
    name,
    case when r % 10 < 8 then 'https://hooks.' || domain || '/whatsapp/' || n end,
    case when r % 10 < 3 then a.profile_id end,
    case when r % 10 < 8 then (r % 190 + 1) || ' Long Street, ' || city end,
    case when r % 10 < 7 then name || ' serves ' || city || ' and all around it, six days a week.' end,
    ${pick(CATEGORIES, 'r / 7')},
    case when r % 10 < 6 then 'hello@' || domain end,
    case when r % 10 < 7 then 'https://' || domain || '/' end,
    status, attempt,
    case status when 'PENDING_VERIFICATION' then 1 when 'PENDING_FACEBOOK_APPROVAL' then 2 else 3 end
      + edited::int + (attempt - 1) * 2,
    case when pending then submitted end,
    case when pending then submitted + interval '24 hours' end,
    case when status not in ('PENDING_VERIFICATION', 'WITHDRAWN') then jsonb_build_object(
      'decisionId', ${id('op', 'submitted', "md5('v' || n)")},
      'outcome', case when refused then 'rejected' else 'approved' end,
      'reason', case when refused then 'The display name is not the name of the company.' end,
      'code', case when refused then 'name_mismatch' end,
      'fields', case when refused then '["displayName"]'::jsonb else '[]'::jsonb end,
      'by', jsonb_build_object('type', 'support', 'id', s.id), 'at', to_char(submitted at time zone 'UTC', ${ISO})) end,
    case when status in ('APPROVED', 'RELEASED') or (status = 'REJECTED' and not refused) then jsonb_build_object(
      'decisionId', ${id('op', 'submitted', "md5('f' || n)")},
      'outcome', case when status = 'REJECTED' then 'rejected' else 'approved' end,
      'reason', case when status = 'REJECTED' then 'Facebook does not accept this business.' end,
      'code', null, 'fields', '[]'::jsonb,
      'by', jsonb_build_object('type', 'support', 'id', s.id), 'at', to_char(decided at time zone 'UTC', ${ISO})) end,
    case when status in ('WITHDRAWN', 'RELEASED') then jsonb_build_object(
      'operationId', ${id('op', 'submitted', "md5('e' || n)")},
      'by', jsonb_build_object('type', 'customer', 'id', a.key_id), 'at', to_char(updated at time zone 'UTC', ${ISO})) end,
    case when attempt > 1 then s.id end,
    jsonb_build_object('type', 'customer', 'id', a.key_id), submitted,
    case when not pending then decided end,
    created, updated, attempt
  from generate_series(1, ${plan.numbers}) n
    cross join lateral (select md5(n::text) as h) hashed
    cross join lateral (select ('x' || substr(h, 16, 8))::bit(31)::int as r, ('x' || substr(h, 24, 8))::bit(31)::int as r2) drawn
    cross join lateral (select
      now() - (${plan.numbers} - n + 1) * interval '730 days' / ${plan.numbers} as created,
      (2000000 + n * 2654435761 % 7999993)::text as subscriber,
      ${pick(FIRST, 'r')} || ${pick(SECOND, 'r / 32')} || ${pick(THIRD, 'r / 1024')} as brand,
      ${pick(CITIES, 'r / 65536')} as city,
      1 + (r2 / 128 % 20 = 0)::int as attempt,
      n > ${plan.numbers} * 0.97 and r2 % 5 = 1 as pending) made
    cross join lateral (select
      brand || ' ' || ${pick(TRADES, 'r2 / 8')} || case when r2 % 3 = 0 then ' ' || city else '' end
        || case when r2 % 10 < 3 then ' ' || ${pick(FORMS, 'r2 / 16')} else '' end as name,
      lower(brand) || '-' || (r2 % 1000) || '.example' as domain,
      case
        when pending then case when r2 % 3 = 0 then 'PENDING_FACEBOOK_APPROVAL' else 'PENDING_VERIFICATION' end
        when r2 % 100 < 11 then 'REJECTED' when r2 % 100 < 15 then 'WITHDRAWN' when r2 % 100 < 20 then 'RELEASED'
        else 'APPROVED' end as status,
      least(created + (attempt - 1) * interval '3 days', now()) as submitted) told
    cross join lateral (select status = 'APPROVED' and r2 / 64 % 10 = 0 as edited,
      status = 'REJECTED' and r2 % 3 > 0 as refused,
      least(submitted + interval '50 hours', now()) as decided) changed
    cross join lateral (select case
      when edited then greatest(submitted, now() - (now() - submitted) * (r2 % 9973) / 9973)
      when pending then submitted
      else decided end as updated) last
    join account a on a.k = case when n % 2 = 0 then 0 else 1 + floor(${plan.accounts - 1} * (r / 2147483648.0) ^ 3)::int end
    join supporter s on s.k = r2 % 20
  order by n`;

/** RFC 3339 for `to_char`. */
const ISO = `'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'`;

/** The beginnings of the latest timelines; of resubmissions also why they are some, which the queue tells. */
export const events = (plan: Seed) => `
  create temporary table latest on commit drop as
    select * from numbers order by id desc limit ${Math.ceil(plan.numbers / 20)};
  insert into number_events (id, number_id, attempt, revision, type, at, actor, data, operation_id)
  select ${id('evt', 'at', 'md5(id || type)')}, id, n.attempt, n.revision, type, at, actor, data,
    ${id('op', 'at', "md5('op' || id || type)")}
  from latest
    cross join lateral (values
      (1, 1, 'submitted', created_at, submitted_by, '{}'),
      (1, 2, 'verification.rejected', created_at + interval '1 day',
        jsonb_build_object('type', 'support', 'id', previous_reviewer_id),
        '{"reason": "The address is not that of the company.", "code": "address_mismatch", "fields": ["address"]}'),
      (2, 3, 'resubmitted', submitted_at, submitted_by, jsonb_build_object('changes', jsonb_build_object('address',
        jsonb_build_object('from', '1 Short Street', 'to', latest.address))))
    ) as n (attempt, revision, type, at, actor, data)
  where n.revision = 1 or latest.attempt = 2`;
