//! What commands do, in the contract's container and in one with the host's Claude Code.

use crate::check::Verdict;
use crate::checks::inspect::printed;
use crate::facts::Expected;
use crate::sandbox::{Ran, Sandbox};

/// No network is needed: the dependency is a folder.
pub(super) const DEV_DEPENDENCIES: &[&str] = &[
    "sh",
    "-c",
    r#"set -e
cd "$(mktemp -d)"
mkdir tool
echo '{"name":"tool","version":"1.0.0"}' >tool/package.json
echo '{"devDependencies":{"tool":"file:./tool"}}' >package.json
npm install --offline --silent
ls node_modules"#,
];

pub(super) fn dev_dependencies(_: &Expected, ran: &Ran) -> Verdict {
    printed(ran, &["tool"])
}

pub(super) const TIME_ZONE: &[&str] = &[
    "sh",
    "-c",
    r#"export TZ=Europe/Berlin
date -d @0 +%H:%M
bash -c 'printf "%(%H:%M)T\n" 0'
node --print 'new Date(0).toTimeString().slice(0, 5)'
python3 -c 'import time, zoneinfo
zoneinfo.ZoneInfo("Europe/Berlin")
print(time.strftime("%H:%M", time.localtime(0)))'"#,
];

pub(super) fn time_zone(_: &Expected, ran: &Ran) -> Verdict {
    printed(ran, &["01:00"; 4])
}

pub(super) const GIT_IDENTITY: &[&str] = &[
    "sh",
    "-c",
    r#"set -e
cd "$(mktemp -d)"
git init >/dev/null
said() { git commit --quiet --allow-empty --message x; git log -1 --format="$1"; }
said '%an <%ae>, %cn <%ce>'
git config user.name Somebody
said %an
GIT_AUTHOR_NAME=Other said %an"#,
];

pub(super) fn git_identity(_: &Expected, ran: &Ran) -> Verdict {
    const AGENT: &str = "AgentGate agent <agent@agentgate.invalid>";
    printed(ran, &[&format!("{AGENT}, {AGENT}"), "Somebody", "Other"])
}

/// Each behaviour that differs from busybox's, or that busybox lacks; a line for each that is wrong.
pub(super) const GNU_TOOLS: &[&str] = &[
    "sh",
    "-c",
    r#"cd "$(mktemp -d)"
try() { name=$1 expected=$2; shift 2; seen=$("$@" 2>&1); [ "$seen" = "$expected" ] || echo "$name: $seen"; }
echo abc >a
printf '%s\n' '--- a' '+++ a' '@@ -1 +1 @@' '-abc' '+xyz' >p
try 'grep -P' ab grep -oP 'ab(?=c)' a
try 'grep --include' ./a grep -rl --include=a abc .
try 'find -printf' 'a 4' find . -name a -printf '%f %s'
try 'xargs -d' 'a b' sh -c 'printf a,b | xargs -d , echo'
try 'date -d' 1969-12-31 date -u -d '1970-01-01 1 day ago' +%F
try 'stat --format' 4 stat --format=%s a
try 'realpath --relative-to' bin/env realpath --relative-to=/usr /usr/bin/env
try 'mktemp --suffix' ok sh -c 'mktemp --suffix=.x >/dev/null && echo ok'
try 'ps -p' 1 sh -c 'ps --no-headers -o pid -p 1 | tr -d " "'
try pgrep 1 pgrep -o .
try patch xyz sh -c 'patch -s a p && cat a'
try ssh 'hostname x' sh -c 'ssh -TG x | grep ^hostname'"#,
];

pub(super) fn gnu_tools(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "grep, find, xargs, date, stat, realpath, mktemp, ps, pgrep, patch and \
                            ssh do what scripts expect";
    if ran.code != 0 {
        return Verdict::failed(ran.describe(), EXPECTED);
    }
    let said = ran.stdout.lines().chain(ran.stderr.lines()).map(str::trim);
    let wrong = said.filter(|line| !line.is_empty());
    let wrong: Vec<String> = wrong.map(|line| format!("`{line}`")).collect();
    match wrong.as_slice() {
        [] => Verdict::passed(EXPECTED),
        wrong => Verdict::none_of(wrong, EXPECTED),
    }
}

/// Writes into each folder that programs expect, the mounted one included, and installs for everyone.
const GLOBAL_INSTALL: &[&str] = &[
    "sh",
    "-c",
    r#"set -e
cd
mkdir .cache/x .config/x .local/share/x .local/state/x
touch .claude/x .local/bin/git
chmod 755 .local/bin/git
cd "$(mktemp -d)"
mkdir package
echo '{"name":"tool","version":"1.0.0","bin":"tool.js"}' >package/package.json
printf '#!/usr/bin/env node\nconsole.log("it runs")\n' >package/tool.js
tar -czf tool.tgz package
npm install --global --offline --silent ./tool.tgz
tool
command -v git
command -v claude"#,
];

pub(super) fn global_install(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.mounted()?.start()?;
    Ok(judge_global_install(&container.exec(GLOBAL_INSTALL)?))
}

pub(super) fn judge_global_install(ran: &Ran) -> Verdict {
    printed(ran, &["it runs", "/usr/bin/git", "/usr/local/bin/claude"])
}
