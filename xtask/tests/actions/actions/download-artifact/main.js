// A name that no artifact has is an error, a pattern that none fits is not. Without a name each
// artifact gets a folder, unless there is only one or they are merged.
'use strict';
const fs = require('fs');
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

lib.refuseUnknown(__dirname);
for (const name of ['artifact-ids', 'github-token']) {
  if (lib.input(name) !== '') lib.fail(`the stand-in does not know what \`${name}\` does`);
}
const artifacts = lib.kept('artifacts');
const to = path.resolve(lib.input('path') || process.env.GITHUB_WORKSPACE);
const all = fs.existsSync(artifacts) ? fs.readdirSync(artifacts).sort() : [];
const name = lib.input('name');
const pattern = lib.input('pattern');
if (/[?[\]{}!+@(]/.test(pattern)) lib.fail('the stand-in knows no pattern but `*`');
const escape = (text) => text.replace(/[.\\^$|]/g, '\\$&');
const glob = new RegExp(`^${pattern.split('*').map(escape).join('[^/]*')}$`);
const chosen = all.filter((one) => (name ? one === name : pattern === '' || glob.test(one)));
if (name && chosen.length === 0) {
  lib.fail(`Unable to download artifact(s): Artifact not found for name: ${name}`);
}
const isMerged = name !== '' || lib.flag('merge-multiple') || chosen.length === 1;
for (const one of chosen) {
  fs.cpSync(path.join(artifacts, one), isMerged ? to : path.join(to, one), { recursive: true });
}
// Somebody has put another file in its place.
if (process.env.TAMPER === name) fs.appendFileSync(path.join(to, fs.readdirSync(to)[0]), '# another');
console.log(`Total of ${chosen.length} artifact(s) downloaded`);
lib.output('download-path', to);
