// Fetches with the refspecs of the real action, and checks out as it does: a branch by its name, a
// tag and the merge commit of a pull request detached.
'use strict';
const fs = require('fs');
const path = require('path');
const lib = require(path.join(process.env.STAND_INS, 'lib.js'));

lib.refuseUnknown(__dirname);
const unused = {
  'ssh-key': '', path: '', filter: '', 'sparse-checkout': '', 'github-server-url': '',
  clean: 'true', 'fetch-tags': 'false', lfs: 'false', submodules: 'false',
};
for (const [name, usual] of Object.entries(unused)) {
  if (lib.input(name) !== usual) lib.fail(`the stand-in does not know what \`${name}\` does`);
}
const { GITHUB_SERVER_URL, GITHUB_WORKSPACE, RUNNER_TEMP } = process.env;
const repository = lib.input('repository');
// The event's commit counts only where no other ref is asked for.
const asked = lib.input('ref');
let ref = asked;
let commit = '';
if (asked === '') {
  ref = process.env.GITHUB_REF;
  commit = process.env.GITHUB_SHA;
} else if (/^[0-9a-f]{40}$/.test(asked)) {
  ref = '';
  commit = asked;
}

// On GitHub each job has a machine of its own, and with it a configuration of docker. The plug-ins
// are those of the machine.
const docker = path.join(path.dirname(RUNNER_TEMP), 'docker-config');
fs.mkdirSync(docker, { recursive: true });
if (process.env.STAND_INS_PLUGINS && !fs.existsSync(path.join(docker, 'cli-plugins'))) {
  fs.symlinkSync(process.env.STAND_INS_PLUGINS, path.join(docker, 'cli-plugins'));
}
lib.exportVariable('DOCKER_CONFIG', docker);

fs.mkdirSync(GITHUB_WORKSPACE, { recursive: true });
lib.endIfOver();
for (const name of fs.readdirSync(GITHUB_WORKSPACE)) {
  fs.rmSync(path.join(GITHUB_WORKSPACE, name), { recursive: true });
}
const git = (...args) => lib.run('git', args, { cwd: GITHUB_WORKSPACE });
git('init', '--quiet');
git('remote', 'add', 'origin', `${GITHUB_SERVER_URL}/${repository}`);
// The token is in a file of its own, which the repository's configuration includes.
const credentials = path.join(RUNNER_TEMP, `git-credentials-${process.pid}.config`);
const header = Buffer.from(`x-access-token:${lib.input('token')}`).toString('base64');
git('config', '--file', credentials, `http.${GITHUB_SERVER_URL}/.extraheader`,
  `AUTHORIZATION: basic ${header}`);
git('config', `includeIf.gitdir:${GITHUB_WORKSPACE}/.git.path`, credentials);

function refspec() {
  const below = (prefix) => ref.startsWith(prefix) && ref.slice(prefix.length);
  const pull = below('refs/pull/');
  const branch = below('refs/heads/');
  if (pull) return [`+${commit || ref}:refs/remotes/pull/${pull}`];
  if (branch) return [`+${commit || ref}:refs/remotes/origin/${branch}`];
  if (below('refs/tags/')) return [`+${ref}:${ref}`];
  if (ref === '') return [commit];
  return [`+refs/heads/${ref}*:refs/remotes/origin/${ref}*`, `+refs/tags/${ref}*:refs/tags/${ref}*`];
}

const fetch = ['fetch', '--quiet', '--no-recurse-submodules', '--prune'];
if (Number(lib.input('fetch-depth')) > 0) {
  git(...fetch, '--no-tags', `--depth=${lib.input('fetch-depth')}`, 'origin', ...refspec());
} else {
  const all = ['+refs/heads/*:refs/remotes/origin/*', '+refs/tags/*:refs/tags/*'];
  const pull = ref.startsWith('refs/pull/') ? refspec() : [];
  git(...fetch, '--no-tags', 'origin', ...all, ...pull);
  // A branch may have moved since the event.
  if (commit !== '' && ref.startsWith('refs/heads/')) git(...fetch, 'origin', ...refspec());
}
if (ref.startsWith('refs/tags/') && commit !== '') {
  const found = git('rev-parse', `${ref}^{commit}`);
  if (found !== commit) lib.fail(`The ref '${ref}' does not point to the expected commit '${commit}'`);
}

const checkout = ['checkout', '--quiet', '--force'];
if (ref.startsWith('refs/heads/')) {
  const branch = ref.slice('refs/heads/'.length);
  git(...checkout, '-B', branch, `refs/remotes/origin/${branch}`);
} else if (ref.startsWith('refs/pull/')) {
  git(...checkout, `refs/remotes/pull/${ref.slice('refs/pull/'.length)}`);
} else {
  git(...checkout, ref || commit);
}
lib.output('ref', ref);
lib.output('commit', git('rev-parse', 'HEAD'));
const forget = () => {
  git('config', '--unset', `includeIf.gitdir:${GITHUB_WORKSPACE}/.git.path`);
  fs.rmSync(credentials);
};
if (lib.flag('persist-credentials')) {
  lib.saveState('credentials', credentials);
} else {
  forget();
}
