/** The workflow bundle. `node worker/bundle.ts <file>` builds it ahead, for an image. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';

/** Bundles the workflows; takes seconds. Must be run with the `@temporalio/worker` that will use it. */
export async function bundleWorkflows(): Promise<string> {
  const { code } = await bundleWorkflowCode({
    workflowsPath: fileURLToPath(new URL('../workflows/index.ts', import.meta.url)),
    logger: new DefaultLogger('WARN'),
  });
  return code;
}

if (import.meta.main) {
  const [file] = process.argv.slice(2);
  if (!file) {
    console.error('Say where to write the bundle: node worker/bundle.ts <file>');
    process.exit(1);
  }
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, await bundleWorkflows());
}
