/** Pictures as the API answers them. */
import { z } from 'zod';
import { about, IMAGE_ID, IMAGE_URL } from './views.ts';

const pictureWarning = z
  .object({
    code: z.enum(['not_square', 'too_small', 'not_recommended_size', 'transparent']).describe('As a word.'),
    detail: z
      .string()
      .meta(
        about(
          'What will happen to the picture, and what to send instead.',
          'The picture has 800 × 800 pixels. 640 × 640 is recommended.',
        ),
      ),
  })
  .meta({
    id: 'PictureWarning',
    description: 'What Meta will do to a picture that can be used all the same.',
  });
export type PictureWarning = z.output<typeof pictureWarning>;

export const imageView = z
  .object({
    id: z.string().meta(about('For `imageId` of a number.', IMAGE_ID)),
    url: z.string().meta(about('Where it is read, by the same callers.', IMAGE_URL)),
    width: z.int().meta(about('Pixels, as it is kept.', 640)),
    height: z.int().meta(about('Pixels, as it is kept.', 640)),
    warnings: z.array(pictureWarning).describe('What Meta will do to it; empty where it is as recommended.'),
  })
  .meta({ id: 'Image', description: 'A picture that was uploaded.' });
