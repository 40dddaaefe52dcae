// The engine is there already; this makes it the current context, and sets DOCKER_HOST only where
// it is asked for. A job that leaves this step out has no engine.
'use strict';
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

lib.refuseUnknown(__dirname);
lib.endIfOver();
for (const name of ['channel', 'tcp-port', 'context', 'runtime-basedir']) {
  if (lib.input(name) !== '') lib.fail(`the stand-in does not know what \`${name}\` does`);
}
const config = JSON.parse(lib.input('daemon-config') || '{}');
if (!config.features || config.features['containerd-snapshotter'] !== true) {
  lib.fail('without containerd\'s image store a build of several platforms cannot be kept');
}
const host = process.env.STAND_INS_ENGINE;
const name = 'setup-docker-action';
lib.run('docker', ['context', 'create', name, '--docker', `host=${host}`]);
lib.run('docker', ['context', 'use', name]);
lib.saveState('context', name);
lib.output('sock', host);
if (lib.flag('set-host')) lib.exportVariable('DOCKER_HOST', host);
lib.run('docker', ['info']);
