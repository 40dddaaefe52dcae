// The real one starts a container, so an engine must be there before it.
'use strict';
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

lib.refuseUnknown(__dirname);
lib.endIfOver();
lib.run('docker', ['info']);
lib.output('platforms', `linux/amd64,linux/${lib.input('platforms')}`);
