//! Claude Code as AgentGate's server uses it: without telemetry, with credentials that are
//! mounted, and with an end that a program can read.

pub(crate) mod strict;
#[cfg(test)]
mod tests;

use std::os::unix::fs::MetadataExt as _;

use super::inspect::lines;
use crate::check::{Check, How, Verdict};
use crate::facts::Expected;
use crate::sandbox::{Ran, Sandbox};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "claude-telemetry",
        proves: "an exec'd process sees telemetry off",
        source: "docs/specification.md, 6.3.3: disable telemetry in container",
        remedy: "`ENV DISABLE_TELEMETRY=1 CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1`",
        how: How::Exec(
            &[
                "printenv",
                "DISABLE_TELEMETRY",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
            ],
            |_, ran| judge_set(2, ran),
        ),
    },
    Check {
        id: "claude-error-reports",
        proves: "an exec'd process sees error reports off",
        source: "docs/specification.md, 6.3.3: disable telemetry in container",
        remedy: "`ENV DISABLE_ERROR_REPORTING=1`",
        how: How::Exec(&["printenv", "DISABLE_ERROR_REPORTING"], |_, ran| {
            judge_set(1, ran)
        }),
    },
    Check {
        id: "claude-auto-update",
        proves: "an exec'd process sees updates off: the image is what was proven",
        source: "docs/specification.md, What the project adds: DISABLE_AUTOUPDATER",
        remedy: "`ENV DISABLE_AUTOUPDATER=1`",
        how: How::Exec(&["printenv", "DISABLE_AUTOUPDATER"], |_, ran| {
            judge_set(1, ran)
        }),
    },
    Check {
        id: "claude-pinned",
        proves: "an exec'd `claude` is the version that the lock pins",
        source: "docs/specification.md, What the project adds: Claude Code is pinned by a lock per architecture",
        remedy: "build with docker/claude's lock; nothing may come before /usr/local/bin in PATH",
        how: How::Exec(&["claude", "--version"], pinned),
    },
    Check {
        id: "claude-credentials",
        proves: "credentials that are mounted read-only are used",
        source: "docs/specification.md, 6.3.3: path ~/.claude/.credentials.json, read-only mount",
        remedy: "set neither `CLAUDE_CONFIG_DIR` nor `forceLoginMethod`; keep HOME as it is",
        how: How::Containers(credentials),
    },
    Check {
        id: "claude-credentials-owner",
        proves: "credentials that the agent cannot read are explained at the start",
        source: "docs/specification.md, What the project adds: 0600 of another owner is `Not logged in`",
        remedy: "the entrypoint must warn of a `.credentials.json` that it cannot read",
        how: How::Containers(credentials_owner),
    },
    Check {
        id: "claude-offline",
        proves: "`claude -p` without a network fails at once, and says so in JSON",
        source: "docs/contract.md: `claude -p … --output-format json`, network `none`",
        remedy: "try `docker run --network none IMAGE claude -p hi --output-format json`",
        how: How::Containers(offline),
    },
    Check {
        id: "claude-writes",
        proves: "`claude` writes to /workspace, /tmp and HOME alone",
        source: "docs/contract.md: read-only root file system",
        remedy: "let Claude Code keep what it writes under HOME or /tmp",
        how: How::Containers(writes),
    },
];

/// Passes when every variable has a value: even `0` switches off.
fn judge_set(number: usize, ran: &Ran) -> Verdict {
    let values = ran.stdout.lines().filter(|line| !line.is_empty()).count();
    if ran.code == 0 && values == number {
        return Verdict::passed(lines(&ran.stdout));
    }
    Verdict::failed(
        format!("{values} of {number} variables set"),
        "a value for each",
    )
}

fn pinned(expected: &Expected, ran: &Ran) -> Verdict {
    let seen = ran.stdout.trim();
    match &expected.claude {
        Ok(version) if ran.code == 0 => Verdict::equal(seen, format!("{version} (Claude Code)")),
        Ok(version) => Verdict::failed(ran.describe(), format!("{version} (Claude Code)")),
        Err(why) => Verdict::NotApplicable(format!("nobody knows which one is pinned: {why}")),
    }
}

const CREDENTIALS: &str = "/home/agentgate/.claude/.credentials.json";
const AUTH: [&str; 3] = ["claude", "auth", "status"];
/// The user who must not be able to read the credentials of the host's user 1000.
const STRANGER: u32 = 4242;
const AGENT: u32 = 1000;

/// A login that looks real. No file of the source holds its token, as a scanner would find it.
fn login() -> String {
    let token = |kind: &str| format!("sk-ant-{kind}01-{}", "x".repeat(86));
    format!(
        r#"{{"claudeAiOauth":{{"accessToken":"{}","refreshToken":"{}","expiresAt":9999999999999,
"scopes":["user:inference","user:profile"],"subscriptionType":"max"}}}}"#,
        token("oat"),
        token("ort")
    )
}

fn credentials(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let file = sandbox.file(&login(), 0o644)?;
    let container = sandbox.contract().mount(&file, CREDENTIALS).start()?;
    let (auth, logs) = (container.exec(&AUTH)?, container.logs()?);
    Ok(judge_credentials(&auth, &logs))
}

fn judge_credentials(auth: &Ran, logs: &Ran) -> Verdict {
    const EXPECTED: &str = "logged in, without a word of the entrypoint";
    if !logs.stderr.is_empty() {
        return Verdict::failed(lines(&logs.stderr), EXPECTED);
    }
    match logged_in(auth) {
        Some(true) if auth.code == 0 => Verdict::passed("logged in"),
        Some(_) => Verdict::failed("not logged in", EXPECTED),
        None => Verdict::failed(auth.describe(), EXPECTED),
    }
}

/// What `claude auth status` prints; `None` for any other text.
fn logged_in(auth: &Ran) -> Option<bool> {
    let status: serde_json::Value = serde_json::from_str(&auth.stdout).ok()?;
    status.get("loggedIn")?.as_bool()
}

/// The file is for its owner alone, who is the user of this machine; the agent is somebody else.
fn credentials_owner(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let file = sandbox.file(&login(), 0o600)?;
    let owner = std::fs::metadata(&file)?.uid();
    let user = if owner == AGENT { STRANGER } else { AGENT };
    let start = sandbox.contract().user(&format!("{user}:{user}"));
    let container = start.mount(&file, CREDENTIALS).start()?;
    let readable = container.exec(&["test", "-r", CREDENTIALS])?.code == 0;
    let (auth, logs) = (container.exec(&AUTH)?, container.logs()?);
    Ok(judge_owner(readable, &auth, &logs))
}

fn judge_owner(is_readable: bool, auth: &Ran, logs: &Ran) -> Verdict {
    const EXPECTED: &str = "not logged in, and one line at the start that names the file";
    if is_readable {
        let why = "this engine lets everyone read what is mounted";
        return Verdict::NotApplicable(why.to_owned());
    }
    let mut said = logs.stderr.lines();
    let explained = said.find(|line| line.contains(CREDENTIALS) && line.contains("hint:"));
    match (logged_in(auth), explained) {
        (Some(false), Some(line)) => Verdict::passed(lines(line)),
        (Some(false), None) => Verdict::failed(
            format!("not logged in; the entrypoint says {}", lines(&logs.stderr)),
            EXPECTED,
        ),
        _ => Verdict::failed(auth.describe(), EXPECTED),
    }
}

const PROMPT: [&str; 5] = ["claude", "-p", "hi", "--output-format", "json"];

fn offline(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    Ok(judge_offline(&sandbox.shared().exec(&PROMPT)?))
}

/// The server takes the last line that starts with a brace.
fn judge_offline(ran: &Ran) -> Verdict {
    const EXPECTED: &str = "exit 1, and a last line of JSON that says it is an error";
    let last = ran.stdout.lines().rev().find(|line| line.starts_with('{'));
    let result: Option<serde_json::Value> = last.and_then(|line| serde_json::from_str(line).ok());
    let is_error = |result: &serde_json::Value| result["is_error"] == true;
    match result {
        Some(result) if ran.code == 1 && is_error(&result) => {
            let said = result["result"].as_str().unwrap_or("no words");
            Verdict::passed(format!("exit 1, {}", lines(said)))
        }
        _ => Verdict::failed(ran.describe(), EXPECTED),
    }
}

/// As the contract has it, but that the root file system can be written to.
const WRITABLE: [&str; 8] = [
    "--network",
    "none",
    "--cap-drop",
    "ALL",
    "--tmpfs",
    "/tmp:rw,noexec,nosuid",
    "--tmpfs",
    "/home/agentgate:rw,noexec,nosuid",
];

fn writes(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let folder = sandbox.workspace()?;
    let start = sandbox.plain().options(&WRITABLE).workspace(&folder, "rw");
    let container = start.start()?;
    let prompt = container.exec(&PROMPT)?;
    container.exec(&["claude", "--version"])?;
    Ok(judge_writes(&prompt, &container.diff()?))
}

/// A folder that something is mounted in counts as changed.
fn judge_writes(prompt: &Ran, diff: &[String]) -> Verdict {
    const FREE: [&str; 3] = ["/workspace", "/tmp", "/home/agentgate"];
    const EXPECTED: &str = "nothing outside /workspace, /tmp and HOME";
    if prompt.stdout.is_empty() {
        return Verdict::failed(prompt.describe(), "`claude -p` prints its result");
    }
    let is_free = |path: &str| {
        let mut free = FREE.iter();
        free.any(|free| path == *free || path.starts_with(&format!("{free}/")))
    };
    let is_above = |path: &str| {
        FREE.iter()
            .any(|free| free.starts_with(&format!("{path}/")))
    };
    let written: Vec<String> = diff
        .iter()
        .filter(|line| match line.split_once(' ') {
            Some(("C", path)) => !is_free(path) && !is_above(path),
            Some((_, path)) => !is_free(path),
            None => true,
        })
        .map(|line| format!("`{line}`"))
        .collect();
    Verdict::none_of(&written, EXPECTED)
}
