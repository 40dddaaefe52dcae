// Exports what the runner gives to actions alone.
'use strict';
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

lib.refuseUnknown(__dirname);
lib.endIfOver();
for (const [name, value] of Object.entries(process.env)) {
  if (name.startsWith('ACTIONS_')) lib.exportVariable(name, value);
}
