// Removes the token.
'use strict';
const fs = require('fs');
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

const credentials = lib.state('credentials');
if (credentials !== '') fs.rmSync(credentials, { force: true });
