/**
 * Pages where supporters decide from an email. Opening one changes nothing, as mail scanners do; its buttons decide, by
 * the token alone and on the way that POST /v1/numbers/{id}/verification goes.
 */
import { z } from 'zod';
import { decisionBody } from '../../contract/fields.ts';
import { FIELD_NAMES } from '../../contract/number.ts';
import { useDecisionLink } from '../../db/decision-links.ts';
import { findImage } from '../../db/images.ts';
import type { NumberRow } from '../../db/number-row.ts';
import { findEvent, latestComments } from '../../db/read.ts';
import { originOf } from '../audit.ts';
import type { Routes } from '../context.ts';
import { decide } from '../decide.ts';
import { checkLink, gone, type KnownLink, knownLink, openOutcomes } from '../decision-links.ts';
import { afterUse, decisionPage, faultName, standing } from '../decision-page.ts';
import { toProblem } from '../failures.ts';
import { type Faults, faultsIn, type Html, html, sendPage, servePages } from '../html.ts';
import { findFor } from '../numbers.ts';
import { sendPicture } from '../pictures.ts';
import { ProblemError } from '../problems.ts';

const withToken = z.object({ token: z.string().catch('') });
const form = z.record(z.string(), z.string());
const config = { access: 'public' } as const;
const schema = { hide: true };
const TITLE = 'Verify a number';
/** Comments that the page shows. */
const COMMENTS = 10;

export const decisionLinkRoutes: Routes = async (app, { api }) => {
  // Forms alone.
  app.removeAllContentTypeParsers();
  servePages(app);

  async function pageOf(
    known: KnownLink,
    token: string,
    faulty: { faults?: Faults; sent?: Record<string, string> } = {},
  ): Promise<Html> {
    const open = openOutcomes(known);
    const comments = await latestComments(api.db, known.link.numberId, COMMENTS);
    return decisionPage(known, { token, open, comments, ...faulty });
  }

  app.get('/decisions', { config, schema }, async (request, reply) => {
    const { token } = withToken.parse(request.query);
    const known = await knownLink(api, token);
    const { link, review, event } = known;
    if (event) {
      const said = html`<p>This link was used; each link decides once.</p>${afterUse(link, review.row, event)}`;
      return sendPage(reply, 'You have decided', said, 410);
    }
    await checkLink(api, known);
    try {
      return sendPage(reply, TITLE, await pageOf(known, token));
    } catch (error) {
      return sendStanding(reply, error, known.review.row);
    }
  });

  app.get('/decisions/picture', { config, schema }, async (request, reply) => {
    const known = await knownLink(api, withToken.parse(request.query).token);
    if (known.event) throw gone('It was used: you have decided, and each link decides once.');
    await checkLink(api, known);
    const { review } = known;
    const { imageId, accountId } = review.row;
    const image = imageId === null ? null : await findImage(api.db, imageId, accountId);
    if (!image) throw new ProblemError('not_found');
    const content = await api.images.read(image);
    return sendPicture(reply.header('cache-control', 'no-store'), image, content);
  });

  app.post('/decisions', { config, schema }, async (request, reply) => {
    const sent = form.safeParse(request.body).data ?? {};
    const { token = '' } = sent;
    const known = await knownLink(api, token);
    const { link, caller } = known;
    try {
      if (!known.event) {
        await checkLink(api, known);
        const body = bodyOf(sent, link.attempt);
        if (!body.success) {
          const page = await pageOf(known, token, { faults: faultsIn(body.error), sent });
          return sendPage(reply, TITLE, page, 422);
        }
        const found = await findFor(api, caller, link.numberId);
        // However often the button is pressed it is this one decision.
        const operation = { operationId: link.id, resumed: true, seen: async <T>(now: T) => now };
        await decide(api, caller, link.stage, found, body.data, operation);
      }
    } catch (error) {
      const { row } = await findFor(api, caller, link.numberId);
      return sendStanding(reply, error, row);
    }
    const event = await findEvent(api.db, link.numberId, link.id);
    const { row } = await findFor(api, caller, link.numberId);
    const told = event ? afterUse(link, row, event) : standing(row);
    if (event) {
      await useDecisionLink(api.db, link, {
        ...originOf(request),
        actor: caller.actor,
        accountId: row.accountId,
        data: { numberId: link.numberId, attempt: link.attempt, event: event.type },
      });
    }
    return sendPage(reply, 'Decided', html`${told}<p>You can close this page.</p>`);
  });
};

/** The form as the body of a decision. */
function bodyOf({ outcome, reason, ...sent }: Record<string, string>, attempt: number) {
  const fields = FIELD_NAMES.filter((field) => sent[faultName(field)] !== undefined);
  return decisionBody.safeParse({ outcome, reason: reason || null, fields, attempt });
}

/** Problems of the number, with how it stands instead of what a program would do. */
const OF_THE_NUMBER = [
  'already_decided',
  'not_pending',
  'second_approval_needed',
  'stale_attempt',
  'claimed',
];

/** What a program would be told is not for people. */
const LATER =
  'It could not be decided right now, but may still take effect. Open the link again in a minute and press the button again: that does no harm.';

function sendStanding(reply: Parameters<typeof sendPage>[0], error: unknown, row: NumberRow) {
  const problem = toProblem(error);
  if (problem.code === 'unavailable') throw new ProblemError('unavailable', { detail: LATER, cause: error });
  if (!OF_THE_NUMBER.includes(problem.code)) throw error;
  if (row.status === 'WITHDRAWN' || row.status === 'RELEASED') {
    const said = html`<p role="alert">There is nothing to decide any more.</p>${standing(row)}`;
    return sendPage(reply, 'Nothing to decide', said, problem.status);
  }
  const said =
    problem.code === 'second_approval_needed'
      ? 'You gave the first approval; the second has to come from somebody else.'
      : problem.code === 'claimed'
        ? 'Another supporter has claimed the review. Leave it to them, or come back later.'
        : 'Somebody was faster: the decision that was taken stands.';
  return sendPage(
    reply,
    'Not decided by you',
    html`<p role="alert">${said}</p>${standing(row)}`,
    problem.status,
  );
}
