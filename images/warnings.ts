/** What Meta will do to a picture that is taken all the same. Source: Meta's profile pictures. */
import type { PictureWarning } from '../contract/pictures.ts';
import type { Picture } from './draw.ts';

/** Recommended, and the longest edge that Meta keeps. */
const RECOMMENDED = 640;
/** The shortest edge that Meta takes. */
const MINIMUM = 192;

export function warningsOf({
  width,
  height,
  sent,
  transparent,
}: Pick<Picture, 'width' | 'height' | 'sent' | 'transparent'>): PictureWarning[] {
  const size = `The picture has ${sent.width} × ${sent.height} pixels`;
  const advice = `${RECOMMENDED} × ${RECOMMENDED} is recommended.`;
  const warnings: PictureWarning[] = [];
  if (sent.width !== sent.height) {
    warnings.push({
      code: 'not_square',
      detail: `${size} and is not square: WhatsApp shows a circle out of its middle. ${advice}`,
    });
  }
  // As kept: one that is long and thin was scaled down.
  if (Math.min(width, height) < MINIMUM) {
    warnings.push({
      code: 'too_small',
      detail: `${size}: Meta asks for ${MINIMUM} along each edge. ${advice}`,
    });
  }
  if (warnings.length === 0 && sent.width !== RECOMMENDED) {
    warnings.push({ code: 'not_recommended_size', detail: `${size}. ${advice}` });
  }
  if (transparent) {
    warnings.push({
      code: 'transparent',
      detail: 'Parts of the picture are transparent: WhatsApp shows them black. Give it a background.',
    });
  }
  return warnings;
}
