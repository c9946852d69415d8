/** Serves the API. SIGTERM or SIGINT stops it in order, within 10 seconds. */
import { ConfigError, loadConfig } from '../contract/config.ts';
import { startApi } from './server.ts';

try {
  const stop = await startApi(loadConfig());
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => void stop());
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : `The API did not start: ${reason(error)}`);
  process.exit(1);
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException & { port?: number };
  return code === 'EADDRINUSE' ? `${message}; set PORT and METRICS_PORT to free ports.` : message;
}
