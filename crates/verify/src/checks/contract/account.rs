//! Who a command runs as, what it finds in its environment, and where it may write.

#[cfg(test)]
mod tests;

use crate::check::Verdict;
use crate::checks::inspect::printed;
use crate::facts::Expected;
use crate::sandbox::{Ran, Sandbox};

pub(super) fn user(_: &Expected, ran: &Ran) -> Verdict {
    printed(ran, &["agentgate", "1000", "1000", "agentgate"])
}

pub(super) fn shell(_: &Expected, ran: &Ran) -> Verdict {
    printed(ran, &["/bin/bash", "/home/agentgate", "/workspace"])
}

/// What the server sets, and what it relies on the image for.
const VARIABLES: [&str; 7] = [
    "NODE_ENV=production",
    "HOME=/home/agentgate",
    "USER=agentgate",
    "WORKSPACE=/workspace",
    "NO_COLOR=1",
    "FORCE_COLOR=0",
    "SHELL=/bin/bash",
];
/// Variables that make shells and dynamic programs do more than they are asked to.
const UNWANTED: [&str; 5] = [
    "BASH_ENV=",
    "ENV=",
    "LD_PRELOAD=",
    "NODE_OPTIONS=",
    "PROMPT_COMMAND=",
];

pub(super) fn environment(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "the server's variables, and SHELL=/bin/bash";
    if ran.code != 0 || !ran.stderr.is_empty() {
        return Verdict::failed(ran.describe(), EXPECTED);
    }
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let lacking = VARIABLES
        .iter()
        .filter(|variable| !lines.contains(variable));
    let lacking = lacking.map(|variable| {
        let name = variable.split('=').next().unwrap_or_default();
        let is_it = |line: &&&str| line.split('=').next() == Some(name);
        match lines.iter().find(is_it) {
            Some(line) => format!("`{line}`"),
            None => format!("no `{name}`"),
        }
    });
    let unwanted = lines
        .iter()
        .filter(|line| UNWANTED.iter().any(|name| line.starts_with(name)))
        .map(|line| format!("`{line}`"));
    let found: Vec<String> = lacking.chain(unwanted).collect();
    if found.is_empty() {
        return Verdict::passed(format!("{} variables", lines.len()));
    }
    Verdict::none_of(&found, EXPECTED)
}

pub(super) fn writable(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "a file that is written and read";
    match (ran.code, ran.stdout.as_str(), ran.stderr.as_str()) {
        (0, "x\n", "") => Verdict::passed(EXPECTED),
        _ => Verdict::failed(ran.describe(), EXPECTED),
    }
}

/// Each is made to do something, as a program that only starts may lack its files.
pub(super) const TOOLS: &[&str] = &[
    "sh",
    "-c",
    r#"try() { name=$1; shift; said=$("$@" 2>&1) || echo "$name: $said"; }
try git git --version
try curl curl --version
try bash bash -c true
try python3 python3 -c 'import json, ssl, subprocess'
try jq jq --null-input '1 + 1'
try node node --eval 'require("crypto").randomBytes(1)'
try npm npm --version"#,
];

pub(super) fn tools(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "git, curl, bash, python3, jq, node and npm run";
    if ran.code != 0 {
        return Verdict::failed(ran.describe(), EXPECTED);
    }
    let said = ran.stdout.lines().map(str::trim);
    let failed = said.filter(|line| !line.is_empty());
    let failed: Vec<String> = failed.map(|line| format!("`{line}`")).collect();
    match failed.as_slice() {
        [] => Verdict::passed(EXPECTED),
        failed => Verdict::none_of(failed, EXPECTED),
    }
}

/// An address that is nobody's (RFC 5737); limits.rs has the reason for the time.
pub(super) const REQUEST: &[&str] = &[
    "sh",
    "-c",
    "ls /sys/class/net; curl --silent --show-error --max-time 20 http://192.0.2.1/",
];
/// curl's exit code for a host that cannot be connected to.
const UNREACHABLE: i32 = 7;
/// curl's exit code when the time is over.
const TIMED_OUT: i32 = 28;

pub(super) fn network(_: &Expected, ran: &Ran) -> Verdict {
    const EXPECTED: &str = "no interface but `lo`, and a request that fails at once";
    let interfaces: Vec<&str> = ran.stdout.lines().collect();
    if interfaces != ["lo"] {
        let seen = match interfaces.as_slice() {
            [] => ran.describe(),
            some => format!("`{}`", some.join("`, `")),
        };
        return Verdict::failed(seen, EXPECTED);
    }
    match ran.code {
        UNREACHABLE => Verdict::passed("`lo` alone, a request fails at once"),
        TIMED_OUT => Verdict::slow("curl waited until its time was over", EXPECTED),
        _ => Verdict::failed(ran.describe(), EXPECTED),
    }
}

const CLAUDE: &str = "/usr/local/bin/claude";

pub(super) fn path(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.contract().with_host_claude()?.start()?;
    let find = "command -v claude";
    Ok(judge_path(&[
        ("`sh`", container.exec(&["sh", "-c", find])?),
        ("a login shell", container.exec(&["bash", "-lc", find])?),
    ]))
}

pub(super) fn judge_path(found: &[(&str, Ran)]) -> Verdict {
    for (shell, ran) in found {
        // What else a login shell prints is another check's.
        let seen = ran.stdout.lines().next_back().unwrap_or_default();
        if ran.code != 0 {
            return Verdict::failed(format!("{shell} finds none: {}", ran.describe()), CLAUDE);
        }
        if seen != CLAUDE {
            return Verdict::failed(format!("{shell} finds `{seen}`"), CLAUDE);
        }
    }
    Verdict::passed(CLAUDE)
}
