// What the stand-ins share: inputs, outputs and state in the forms of GitHub's runner.
'use strict';
const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');

// The names of the inputs in the action's own action.yml. The file is ours: each is on a line of its
// own, and no YAML beyond that occurs in it.
function declared(folder) {
  const lines = fs.readFileSync(path.join(folder, 'action.yml'), 'utf8').split('\n');
  const names = [];
  let inside = false;
  for (const line of lines) {
    if (/^\S/.test(line)) inside = line.startsWith('inputs:');
    const name = inside && /^ {2}([a-z-]+):/.exec(line);
    if (name) names.push(name[1]);
  }
  return names;
}

// GitHub only warns about an input that an action does not know; here it is an error.
function refuseUnknown(folder) {
  const known = declared(folder).map((name) => `INPUT_${name.toUpperCase()}`);
  const given = Object.keys(process.env).filter((name) => name.startsWith('INPUT_'));
  const unknown = given.filter((name) => !known.includes(name.toUpperCase()));
  if (unknown.length > 0) fail(`unknown input: ${unknown.join(', ')}`);
}

// Of a run in which one job alone is repeated, the others have no effect a second time.
function endIfOver() {
  const { RERUN, GITHUB_JOB } = process.env;
  if (RERUN !== undefined && RERUN !== GITHUB_JOB) process.exit(0);
}

function input(name) {
  return (process.env[`INPUT_${name.toUpperCase()}`] || '').trim();
}

// Only these words are booleans, as for @actions/core.
function flag(name) {
  const text = input(name);
  if (['true', 'True', 'TRUE'].includes(text)) return true;
  if (['false', 'False', 'FALSE'].includes(text)) return false;
  return fail(`the input \`${name}\` is not a boolean: ${text}`);
}

function append(variable, name, value) {
  fs.appendFileSync(process.env[variable], `${name}<<END_OF_VALUE\n${value}\nEND_OF_VALUE\n`);
}

const output = (name, value) => append('GITHUB_OUTPUT', name, value);
const exportVariable = (name, value) => append('GITHUB_ENV', name, value);
const saveState = (name, value) => append('GITHUB_STATE', name, value);
const state = (name) => process.env[`STATE_${name}`] || '';

function fail(why) {
  console.log(`::error::${why}`);
  process.exit(1);
}

// Runs a program that must succeed; what it prints on stdout.
function run(program, args, options = {}) {
  const ran = spawnSync(program, args, { encoding: 'utf8', ...options });
  if (ran.status !== 0) fail(`\`${program} ${args.join(' ')}\`: ${ran.error || ran.stderr}`);
  return ran.stdout.trim();
}

// A folder of the test's own, outside everything that a job sees.
const kept = (name) => path.join(process.env.STAND_INS_KEEP, name);

module.exports = {
  refuseUnknown, endIfOver, input, flag, output, exportVariable, saveState, state, fail, run, kept,
};
