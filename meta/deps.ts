/** What the steps work with; the worker wires it. */
import { type Secrets, secretsOf } from '../auth/secrets.ts';
import type { Config } from '../contract/config.ts';
import type { Database } from '../db/client.ts';
import { createImageStore, type ImageStore } from '../images/store.ts';
import { createGraph, type Graph } from './graph.ts';

interface Logger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
  error(details: object, message: string): void;
}

export interface MetaDeps {
  db: Database;
  graph: Graph;
  /** Encrypt tokens, PINs and codes; null where Meta is not configured. */
  secrets: Secrets | null;
  images: ImageStore;
  config: Config;
  logger: Logger;
}

export function openMeta({ db, config, logger }: Pick<MetaDeps, 'db' | 'config' | 'logger'>): MetaDeps {
  return {
    db,
    config,
    logger,
    graph: graphOf(config),
    secrets: config.META_APP_ID === undefined ? null : secretsOf(config),
    images: createImageStore(db, config),
  };
}

export function graphOf(config: Config, deadlines?: { call: number; upload: number }): Graph {
  return createGraph({
    url: config.META_GRAPH_URL,
    appId: config.META_APP_ID,
    appSecret: config.META_APP_SECRETS?.[0],
    ...(deadlines && { deadlines }),
  });
}
