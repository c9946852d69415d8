/**
 * `npm run openapi`: writes `openapi.json`. With `-- --release` also `openapi.released.json`, which later documents
 * are compared with: what users have from that release on may not break by accident.
 */
import { writeFileSync } from 'node:fs';
import { buildApp } from '../../api/app.ts';
import { loadConfig } from '../../contract/config.ts';
import { openDatabase } from '../../db/client.ts';
import { openClient } from '../../temporal/connect.ts';
import { createMailWorkflows } from '../../temporal/mail.ts';
import { createNumberWorkflows } from '../../temporal/numbers.ts';

// All that can be switched on is. Nothing is called: both servers are only connected to when they are needed.
const config = loadConfig({
  NODE_ENV: 'test',
  DATABASE_URL: 'postgres://127.0.0.1/none',
  OPEN_SIGN_UP: 'true',
  AUTH_SECRET: 'Nobody signs in here, so this is no secret.',
});
const db = openDatabase(config, { name: 'openapi' });
const { client, connection } = openClient(config, 'openapi');
const workflows = createNumberWorkflows({ client, db, config });
const app = await buildApp({ db, workflows, mail: createMailWorkflows({ client }), config });
await app.ready();
const text = `${JSON.stringify(app.swagger(), null, 2)}\n`;
await app.close();
await connection.close();
await db.close();

const files = ['openapi.json', ...(process.argv.includes('--release') ? ['openapi.released.json'] : [])];
for (const file of files) {
  writeFileSync(new URL(`../../${file}`, import.meta.url), text);
  console.log(`${file} is written.`);
}
