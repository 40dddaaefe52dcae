// Writes what `docker login` writes. On GitHub the permissions of a job are those of its token; here
// the test lists them, and the registry's proxy takes the user's name for them.
'use strict';
const fs = require('fs');
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

lib.refuseUnknown(__dirname);
lib.endIfOver();
for (const name of ['ecr', 'scope', 'registry-auth']) {
  if (lib.input(name) !== '') lib.fail(`the stand-in does not know what \`${name}\` does`);
}
const registry = lib.input('registry');
if (!lib.input('username') || !lib.input('password')) lib.fail('Username and password required');
const permissions = JSON.parse(fs.readFileSync(lib.kept('permissions.json'), 'utf8'));
const right = permissions[process.env.GITHUB_JOB];
if (right === undefined) lib.fail(`no workflow has a job \`${process.env.GITHUB_JOB}\``);
const user = process.env.READ_ONLY_TOKEN && right === 'write' ? 'read' : right;
const folder = process.env.DOCKER_CONFIG;
const file = path.join(folder, 'config.json');
const config = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : {};
const auth = Buffer.from(`${user}:${lib.input('password')}`).toString('base64');
config.auths = { ...config.auths, [registry]: { auth } };
fs.mkdirSync(folder, { recursive: true });
fs.writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
if (lib.flag('logout')) lib.saveState('registry', registry);
