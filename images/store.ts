/** Where pictures are kept: in PostgreSQL or in an S3-compatible store. Each stays where it was put first. */
import type { Config } from '../contract/config.ts';
import { newId } from '../contract/ids.ts';
import type { Actor } from '../contract/number.ts';
import type { Database } from '../db/client.ts';
import { expireImage, type ImageRow, insertImage, type QuotaUsedUp, readContent } from '../db/images.ts';
import type { Picture } from './draw.ts';
import { openBucket, type S3Bucket, type S3Settings, StoreUnavailable } from './s3.ts';

export interface ImageStore {
  /** Keeps a picture of an account. Throws StoreUnavailable. */
  add(owner: { accountId: string; by: Actor }, picture: Picture): Promise<ImageRow | QuotaUsedUp>;
  /** Its content. Throws StoreUnavailable. */
  read(image: ImageRow): Promise<Buffer>;
  /** Ends its content, before its row is deleted. Safe to repeat. Throws StoreUnavailable. */
  remove(image: ImageRow): Promise<void>;
}

export function createImageStore(db: Database, config: Pick<Config, 'IMAGE_STORE'> & S3Settings): ImageStore {
  const bucket = openBucket(config);
  const store = config.IMAGE_STORE;

  return {
    async add({ accountId, by }, { content, contentType, width, height }) {
      // The row first: content without one would be there for ever.
      const image = await insertImage(
        db,
        {
          id: newId('img'),
          accountId,
          contentType,
          width,
          height,
          bytes: content.length,
          store,
          createdBy: by,
        },
        store === 'database' ? content : null,
      );
      if ('fullUntil' in image || store === 'database') return image;
      try {
        await needed(bucket).put(keyOf(image), content, contentType);
      } catch (error) {
        await expireImage(db, image.id).catch(() => {});
        throw error;
      }
      return image;
    },

    async read(image) {
      const content =
        image.store === 's3' ? await needed(bucket).get(keyOf(image)) : await readContent(db, image.id);
      if (content?.length === image.bytes) return content;
      throw new StoreUnavailable(`The content of ${image.id} is not what was stored`);
    },

    async remove(image) {
      // In the database it goes with the row.
      if (image.store === 's3') await needed(bucket).remove(keyOf(image));
    },
  };
}

function keyOf(image: ImageRow): string {
  return `images/${image.id}`;
}

function needed(bucket: S3Bucket | null): S3Bucket {
  if (bucket) return bucket;
  throw new StoreUnavailable('A picture is in an S3-compatible store, and the settings S3_… name none');
}
