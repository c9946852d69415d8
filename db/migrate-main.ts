/** Brings the database to this release and ends. Run it before the new API and workers start. */
import { ConfigError, loadConfig } from '../contract/config.ts';
import { migrateDatabase } from './migrate.ts';

try {
  await migrateDatabase(loadConfig());
  console.log('The database is up to date.');
} catch (error) {
  console.error(error instanceof ConfigError ? error.message : error);
  process.exitCode = 1;
}
