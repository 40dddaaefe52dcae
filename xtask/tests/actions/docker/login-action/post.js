// Logs out.
'use strict';
const fs = require('fs');
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

const registry = lib.state('registry');
if (registry !== '') {
  const file = path.join(process.env.DOCKER_CONFIG, 'config.json');
  const config = JSON.parse(fs.readFileSync(file, 'utf8'));
  delete config.auths[registry];
  fs.writeFileSync(file, JSON.stringify(config));
}
