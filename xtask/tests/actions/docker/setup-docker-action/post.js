// Takes the context away; the engine is the test's.
'use strict';
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

const context = lib.state('context');
if (context !== '') lib.run('docker', ['context', 'rm', '--force', context]);
