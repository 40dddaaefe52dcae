// An artifact is a folder. As in the real one's archive, files lose their mode
// (actions/download-artifact#9), empty folders and hidden files are left out, and a name that is taken
// is an error unless it may be overwritten.
'use strict';
const fs = require('fs');
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

lib.refuseUnknown(__dirname);
lib.endIfOver();
const name = lib.input('name');
const root = lib.input('path');
if (/[\n*?[\]{}!]/.test(root)) lib.fail('the stand-in knows one path, without patterns');
if (/["<>|*?:\r\n\\/]/.test(name)) lib.fail(`The artifact name is not valid: ${name}`);
const days = Number(lib.input('retention-days') || 1);
if (!(days >= 1 && days <= 90)) lib.fail(`Invalid retention-days: ${days}`);

function files(folder) {
  return fs.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name.startsWith('.') && !lib.flag('include-hidden-files')) return [];
    const below = path.join(folder, entry.name);
    return fs.statSync(below).isDirectory() ? files(below) : [below];
  });
}
const isFile = fs.existsSync(root) && fs.statSync(root).isFile();
const found = isFile ? [root] : fs.existsSync(root) ? files(root) : [];
if (found.length === 0) {
  const why = `No files were found with the provided path: ${root}. No artifacts will be uploaded.`;
  if (lib.input('if-no-files-found') === 'error') lib.fail(why);
  console.log(`::warning::${why}`);
  process.exit(0);
}
const artifact = path.join(lib.kept('artifacts'), name);
if (fs.existsSync(artifact)) {
  if (!lib.flag('overwrite')) {
    lib.fail('Failed to CreateArtifact: Received non-retryable error: Failed request: (409) '
      + 'Conflict: an artifact with this name already exists on the workflow run');
  }
  fs.rmSync(artifact, { recursive: true });
}
for (const file of found) {
  const to = path.join(artifact, isFile ? path.basename(file) : path.relative(root, file));
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.writeFileSync(to, fs.readFileSync(file), { mode: 0o644 });
}
