//! The specification's verification steps (6.4), as a person types them who was given the image.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;
use std::time::Duration;

use regex::Regex;

use crate::check::{Check, How, Verdict};
use crate::facts::Expected;
use crate::sandbox::Session;

/// What is typed into `docker run --rm -it IMAGE bash`.
///
/// Every answer stands between marks that the terminal's echo of the line does not have: there,
/// quotes divide them. A Claude Code that hangs must not take the other steps' answers with it.
const TYPED: &str = r#"echo '<<'"bash"; echo "$BASH_VERSION"; echo "bash"'>>'
echo '<<'"tty"; tty; echo "$-"; echo "tty"'>>'
echo '<<'"node"; node --version; echo "rc=$?"; echo "node"'>>'
echo '<<'"claude"; timeout {SECONDS} claude --version; echo "rc=$?"; echo "claude"'>>'
echo '<<'"git"; git --version; echo "rc=$?"; echo "git"'>>'
echo '<<'"whoami"; whoami; echo "rc=$?"; echo "whoami"'>>'
echo '<<'"ls"; ls /workspace; echo "rc=$?"; echo "ls"'>>'
exit
"#;

/// The same with the time limit of one step.
pub(crate) fn typed(step: Duration) -> String {
    TYPED.replace("{SECONDS}", &step.as_secs().to_string())
}

/// What `timeout` ends with when the time is over: that of GNU, and that of busybox.
const TIMED_OUT: [&str; 2] = ["rc=124", "rc=143"];

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "seed-1-build",
        proves: "the image is built, and bash runs in it",
        source: "docs/specification.md, 6.4, step 1: docker build -f docker/Dockerfile.agent",
        remedy: "build it with `cargo xtask image`, and keep bash among the packages of \
                 docker/Dockerfile.agent",
        how: How::Session(build),
    },
    Check {
        id: "seed-2-run",
        proves: "a person gets an interactive bash on a terminal",
        source: "docs/specification.md, 6.4, step 2: docker run --rm -it agentgate/agent:dev bash",
        remedy: "the entrypoint must leave stdin, stdout and stderr to its command",
        how: How::Session(run),
    },
    Check {
        id: "seed-3-node",
        proves: "Node.js is of the major version that the image is built for",
        source: "docs/specification.md, 6.4, step 3: `node --version` (should be 20.x)",
        remedy: "build it from the base that docker/Dockerfile.agent names, without `--node`",
        how: How::Session(node),
    },
    Check {
        id: "seed-4-claude",
        proves: "Claude Code is of the version that the lock pins",
        source: "docs/specification.md, 6.4, step 4: `claude --version`",
        remedy: "build it with `cargo xtask image`; docker/claude/README.md says how the version \
                 is pinned",
        how: How::Session(claude),
    },
    Check {
        id: "seed-5-git",
        proves: "Git runs",
        source: "docs/specification.md, 6.4, step 5: `git --version`",
        remedy: "keep git among the packages of docker/Dockerfile.agent",
        how: How::Session(git),
    },
    Check {
        id: "seed-6-whoami",
        proves: "commands run as `agentgate`",
        source: "docs/specification.md, 6.4, step 6: `whoami` (should be agentgate)",
        remedy: "keep `USER agentgate` and `adduser … agentgate` in docker/Dockerfile.agent",
        how: How::Session(whoami),
    },
    Check {
        id: "seed-7-workspace",
        proves: "`/workspace` exists without a mount",
        source: "docs/specification.md, 6.4, step 7: `ls /workspace` (should exist)",
        remedy: "`mkdir /workspace` in docker/Dockerfile.agent",
        how: How::Session(workspace),
    },
    Check {
        id: "seed-8-exit",
        proves: "leaving the shell ends the container, and nothing of it is left",
        source: "docs/specification.md, 6.4, step 8: exit and verify container removed",
        remedy: "the entrypoint must end with its command, by its command's exit code",
        how: How::Session(exit),
    },
];

fn build(_: &Expected, session: &Session) -> Verdict {
    const EXPECTED: &str = "a container that runs bash";
    match answer(session, "bash").as_deref() {
        Ok([version]) => Verdict::passed(format!("bash {version}")),
        Ok(_) => Verdict::failed("`bash` is another shell", EXPECTED),
        Err(why) => Verdict::failed(why, EXPECTED),
    }
}

fn run(_: &Expected, session: &Session) -> Verdict {
    const EXPECTED: &str = "an interactive shell on a terminal";
    match answer(session, "tty").as_deref() {
        Ok([terminal, flags]) if terminal.starts_with("/dev/") && flags.contains('i') => {
            Verdict::passed(format!("interactive on {terminal}"))
        }
        Ok([terminal, flags]) if terminal.starts_with("/dev/") => {
            Verdict::failed(format!("a shell with the flags `{flags}`"), EXPECTED)
        }
        Ok(lines) => Verdict::failed(describe(lines), EXPECTED),
        Err(why) => Verdict::failed(why, EXPECTED),
    }
}

fn node(expected: &Expected, session: &Session) -> Verdict {
    let is_wanted = |version: &str| match &expected.node {
        Ok(node) => {
            let rest = version.strip_prefix('v');
            let rest = rest.and_then(|version| version.strip_prefix(node.as_str()));
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        }
        // Claude Code needs no newer one (docs/specification.md, 6.3.3).
        Err(_) => major(version).is_some_and(|major| major >= 18),
    };
    let (expected, unknown) = match &expected.node {
        Ok(node) if node.split('.').count() == 3 => (format!("v{node}"), None),
        Ok(node) => (format!("v{node}.x"), None),
        Err(why) => ("v18 or later".to_owned(), Some(why)),
    };
    match succeeded(session, "node").as_deref() {
        Ok([version]) if is_wanted(version) => Verdict::passed(match unknown {
            None => version.clone(),
            Some(why) => format!("{version}; 18 or later will do: {why}"),
        }),
        Ok(lines) => Verdict::failed(describe(lines), expected),
        Err(why) => Verdict::failed(why, expected),
    }
}

/// The major version in `v20.18.0`.
fn major(version: &str) -> Option<u32> {
    let (major, _) = version.strip_prefix('v')?.split_once('.')?;
    major.parse().ok()
}

fn claude(expected: &Expected, session: &Session) -> Verdict {
    let (wanted, unknown) = match &expected.claude {
        Ok(version) => (format!("{version} (Claude Code)"), None),
        Err(why) => ("any version of Claude Code".to_owned(), Some(why)),
    };
    let lines = match succeeded(session, "claude") {
        Ok(lines) => lines,
        Err(why) if is_timed_out(session, "claude") => return Verdict::slow(why, wanted),
        Err(why) => return Verdict::failed(why, wanted),
    };
    let said = match lines.as_slice() {
        [said] if said.ends_with(" (Claude Code)") => said.clone(),
        other => return Verdict::failed(describe(other), wanted),
    };
    match unknown {
        None => Verdict::equal(said, wanted),
        Some(why) => Verdict::passed(format!("{said}; any will do: {why}")),
    }
}

fn git(_: &Expected, session: &Session) -> Verdict {
    const EXPECTED: &str = "git version …";
    match succeeded(session, "git").as_deref() {
        Ok([said]) if said.starts_with("git version ") => Verdict::passed(said.as_str()),
        Ok(lines) => Verdict::failed(describe(lines), EXPECTED),
        Err(why) => Verdict::failed(why, EXPECTED),
    }
}

fn whoami(_: &Expected, session: &Session) -> Verdict {
    const EXPECTED: &str = "agentgate";
    match succeeded(session, "whoami") {
        Ok(lines) => Verdict::equal(lines.join(", "), EXPECTED),
        Err(why) => Verdict::failed(why, EXPECTED),
    }
}

fn workspace(_: &Expected, session: &Session) -> Verdict {
    match succeeded(session, "ls") {
        Ok(lines) if lines.is_empty() => Verdict::passed("`/workspace` is there, empty"),
        Ok(_) => Verdict::passed("`/workspace` is there"),
        Err(why) => Verdict::failed(why, "`ls /workspace` lists it"),
    }
}

fn exit(_: &Expected, session: &Session) -> Verdict {
    const EXPECTED: &str = "exit code 0, and no container";
    if !session.left.is_empty() {
        return Verdict::failed(format!("left: {}", session.left.join(", ")), EXPECTED);
    }
    if session.ran.code != 0 {
        return Verdict::failed(session.ran.describe(), EXPECTED);
    }
    // A session that never came to its `exit` was not left by it.
    match answer(session, "ls") {
        Ok(_) => Verdict::passed(EXPECTED),
        Err(why) => Verdict::failed(why, EXPECTED),
    }
}

/// The lines of an answer of a command that exits 0, or what else it did.
fn succeeded(session: &Session, name: &str) -> Result<Vec<String>, String> {
    let mut lines = answer(session, name)?;
    match lines.pop().as_deref() {
        Some("rc=0") => Ok(lines),
        Some(code) => {
            let code = code.trim_start_matches("rc=");
            Err(match lines.last() {
                Some(said) => format!("exit {code}, `{said}`"),
                None => format!("exit {code}, no output"),
            })
        }
        None => Err("no answer".to_owned()),
    }
}

fn is_timed_out(session: &Session, name: &str) -> bool {
    let lines = answer(session, name).unwrap_or_default();
    let last = lines.last();
    last.is_some_and(|code| TIMED_OUT.contains(&code.as_str()))
}

/// The lines of an answer, without what only moves a terminal's cursor, or why there is none.
fn answer(session: &Session, name: &str) -> Result<Vec<String>, String> {
    let Some(answer) = session.answer(name) else {
        return Err(format!("no answer: {}", session.ran.describe()));
    };
    let plain = plain(answer);
    let lines = plain.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}

fn describe(lines: &[String]) -> String {
    match lines {
        [] => "no output".to_owned(),
        lines => format!("`{}`", lines.join(" / ")),
    }
}

/// Text without escape sequences and control characters; a carriage return ends a line, too.
fn plain(text: &str) -> String {
    static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
        let pattern = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])";
        Regex::new(pattern).expect("a valid pattern")
    });
    let text = ESCAPES.replace_all(text, "").replace('\r', "\n");
    text.chars()
        .filter(|c| *c == '\n' || !c.is_control())
        .collect()
}
