import type { ComparedField, StepResult } from '../contract/facebook.ts';
import { findImage } from '../db/images.ts';
import { changeMetaNumber } from '../db/meta-numbers.ts';
import type { NumberRow } from '../db/number-row.ts';
import { askForName } from './add.ts';
import { type AtMeta, inStep, isRefusal } from './at-meta.ts';
import type { MetaDeps } from './deps.ts';
import type { ProfileChanges } from './graph.ts';

/**
 * Has Meta show the profile as it is here at this moment, with the picture, and asks for the display name where it has
 * changed. `revision`: of the number that was pushed.
 */
export async function pushProfile(
  deps: MetaDeps,
  { numberId }: { numberId: string },
): Promise<StepResult & { revision: number }> {
  let revision = 0;
  const result = await inStep(deps, numberId, async (at): Promise<StepResult> => {
    const { db, graph, token, id, number } = at;
    revision = number.revision;
    await graph.setProfile(token, id, profileToPush(number));
    await pushPicture(at);
    const asked = await askForName(at, await graph.readNumber(token, id), { alsoDeclined: false });
    if (asked.done) await changeMetaNumber(db, number.id, { pushedRevision: revision });
    return asked;
  });
  return { ...result, revision };
}

/** What Meta shows otherwise stays as it is there until somebody has chosen. */
function profileToPush(number: NumberRow): ProfileChanges {
  const open = new Set(number.sync?.differences.map(({ field }) => NAMES_AT_META[field as ComparedField]));
  return Object.fromEntries(
    Object.entries(profileOf(number)).filter(([field]) => !open.has(field as keyof ProfileChanges)),
  );
}

const NAMES_AT_META: Record<ComparedField, keyof ProfileChanges> = {
  address: 'address',
  businessDescription: 'description',
  contactEmail: 'email',
  website: 'websites',
  businessCategory: 'vertical',
};

/** Meta's fields; what is empty here is cleared there. */
export function profileOf(number: NumberRow): ProfileChanges {
  return {
    address: number.address ?? '',
    description: number.businessDescription ?? '',
    email: number.contactEmail ?? '',
    websites: number.website === null ? [] : [number.website],
    vertical: number.businessCategory,
  };
}

/** Meta keeps the last picture where there is none here any more: it has no call that removes one. */
async function pushPicture(at: AtMeta): Promise<void> {
  const { db, images, graph, token, id, number, meta } = at;
  if (number.imageId === null || number.imageId === meta.pushedImageId) return;
  const image = await findImage(db, number.imageId, number.accountId);
  if (!image) return;
  const bytes = await images.read(image);
  const push = async () => {
    const handle = await graph.upload(token, { bytes, type: image.contentType });
    await graph.setProfile(token, id, { profile_picture_handle: handle });
  };
  await push().catch(async (error: unknown) => {
    // A handle is soon worth nothing: another one may be taken.
    if (!isRefusal(error, 100, 131009)) throw error;
    await push();
  });
  await changeMetaNumber(db, number.id, { pushedImageId: number.imageId });
}
