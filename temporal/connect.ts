/** Connections to Temporal, from `TEMPORAL_…` variables. */
import { hostname } from 'node:os';
import { Client, Connection } from '@temporalio/client';
import { loadClientConnectConfig } from '@temporalio/envconfig';
import type { Config } from '../contract/config.ts';
import { dataConverter } from './data-converter.ts';

/** TLS and key as the SDK reads them from the environment. Its profiles in a file are for people, not for servers. */
export function connectOptions(config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE'>) {
  const { connectionOptions } = loadClientConnectConfig({ disableFile: true });
  return {
    connection: { ...connectionOptions, address: config.TEMPORAL_ADDRESS },
    namespace: config.TEMPORAL_NAMESPACE,
  };
}

/** Shown in the Temporal UI as who did something. */
export function identity(process_: string): string {
  return `${process_}@${hostname()}:${process.pid}`;
}

/** A client that connects at its first call, and again soon after Temporal was away. */
export function openClient(
  config: Pick<Config, 'TEMPORAL_ADDRESS' | 'TEMPORAL_NAMESPACE'>,
  name: string,
): { client: Client; connection: Connection } {
  const options = connectOptions(config);
  const connection = Connection.lazy({
    ...options.connection,
    connectTimeout: '5 seconds',
    channelArgs: { 'grpc.initial_reconnect_backoff_ms': 200, 'grpc.max_reconnect_backoff_ms': 2000 },
  });
  const client = new Client({
    connection,
    namespace: options.namespace,
    dataConverter,
    identity: identity(name),
  });
  return { client, connection };
}
