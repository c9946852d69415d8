/**
 * Loaded before a main (`node --import ./contract/node-version.mjs …`): an old Node cannot read our `.ts`
 * files, and would not even reach a check inside them.
 */
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  console.error(
    `Node 22.18 or later is needed, this is ${process.versions.node}. ` +
      'Run "npm ci" (without --ignore-scripts), which brings Node 24, and start through npm, e.g. "npm start".',
  );
  process.exit(1);
}
