// The real one downloads a cosign, and checks it by the hash or the signatures that it knows; here the test has
// one already.
'use strict';
const fs = require('fs');
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

lib.refuseUnknown(__dirname);
lib.endIfOver();
for (const [name, usual] of [['install-dir', '$HOME/.cosign'], ['use-sudo', 'false']]) {
  if (lib.input(name) !== usual) lib.fail(`the stand-in does not know what \`${name}\` does`);
}
// Versions that the real one takes; below 3 nothing here works.
const release = lib.input('cosign-release');
if (!/^v3\.[0-9]+\.[0-9]+$/.test(release)) lib.fail(`not a version of cosign 3: ${release}`);
const folder = path.join(process.env.RUNNER_TEMP, 'cosign');
fs.mkdirSync(folder, { recursive: true });
fs.symlinkSync(process.env.STAND_INS_COSIGN, path.join(folder, 'cosign'));
fs.appendFileSync(process.env.GITHUB_PATH, `${folder}\n`);
