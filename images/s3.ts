/** Objects of one bucket in any S3-compatible store, by path-style addresses and Signature Version 4. */
import { hash } from 'node:crypto';
import { AwsClient } from 'aws4fetch';
import type { Config } from '../contract/config.ts';

export type S3Settings = Pick<
  Config,
  'S3_ENDPOINT' | 'S3_REGION' | 'S3_BUCKET' | 'S3_ACCESS_KEY_ID' | 'S3_SECRET_ACCESS_KEY'
>;

export interface S3Bucket {
  put(key: string, content: Buffer, contentType: string): Promise<void>;
  get(key: string): Promise<Buffer>;
  /** Also where there is none. */
  remove(key: string): Promise<void>;
}

/** The store did not answer in time, or not as it should; a try again may do. */
export class StoreUnavailable extends Error {
  override name = 'StoreUnavailable';
}

const DEADLINE_MS = 5_000;

/** Null where the settings name no bucket. Nothing is called before the first use. */
export function openBucket(config: S3Settings): S3Bucket | null {
  const { S3_ENDPOINT: endpoint, S3_BUCKET: bucket, S3_REGION: region } = config;
  const { S3_ACCESS_KEY_ID: accessKeyId, S3_SECRET_ACCESS_KEY: secretAccessKey } = config;
  if (!endpoint || !bucket || !accessKeyId || !secretAccessKey) return null;
  const base = `${endpoint.replace(/\/+$/, '')}/${encodeURIComponent(bucket)}`;
  // Whoever calls repeats what failed, with a deadline of its own.
  const client = new AwsClient({ accessKeyId, secretAccessKey, region, service: 's3', retries: 0 });

  async function call(method: string, key: string, init: RequestInit = {}): Promise<Buffer> {
    try {
      const signal = AbortSignal.timeout(DEADLINE_MS);
      const response = await client.fetch(`${base}/${key}`, { ...init, method, signal, redirect: 'error' });
      const body = Buffer.from(await response.arrayBuffer());
      if (response.ok || (method === 'DELETE' && response.status === 404)) return body;
      throw new Error(
        `It answered ${response.status} ${/<Code>(\w+)/.exec(body.toString('latin1'))?.[1] ?? ''}`,
      );
    } catch (error) {
      throw new StoreUnavailable(`${method} ${key} at the picture store failed`, { cause: error });
    }
  }

  return {
    async put(key, content, contentType) {
      await call('PUT', key, {
        body: content as Buffer<ArrayBuffer>,
        // Signed too: otherwise the content itself would not be.
        headers: { 'content-type': contentType, 'x-amz-content-sha256': hash('sha256', content) },
      });
    },
    get: (key) => call('GET', key),
    remove: async (key) => void (await call('DELETE', key)),
  };
}
