//! The image's HEALTHCHECK, asked by the engine itself: well when all is well, and not well when
//! something that an agent needs is missing.

use std::fs;

use anyhow::Context as _;

use super::inspect::lines;
use crate::check::{Check, How, Verdict};
use crate::sandbox::{Container, Health, Ran, Sandbox, Start};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "health-healthy",
        proves: "a container as the server starts it is healthy",
        source: "docs/specification.md, 6.3.4: return healthy/unhealthy status",
        remedy: "`docker inspect --format '{{json .State.Health}}' CONTAINER` has its words",
        how: How::Waiting(healthy),
    },
    Check {
        id: "health-no-workspace",
        proves: "a container without a workspace is unhealthy",
        source: "docs/specification.md, 6.3.4: check workspace is mounted",
        remedy: "the health check must look whether `/workspace` is a mount",
        how: How::Waiting(no_workspace),
    },
    Check {
        id: "health-no-claude",
        proves: "a container whose `claude` does not run is unhealthy",
        source: "docs/specification.md, 6.3.4: check Claude CLI is available",
        remedy: "the health check must run `claude --version`",
        how: How::Waiting(no_claude),
    },
    Check {
        id: "health-no-node",
        proves: "a container whose `node` fails is unhealthy",
        source: "docs/specification.md, 6.3.4: check Node.js is working",
        remedy: "the health check must run `node --version`",
        how: How::Waiting(no_node),
    },
    Check {
        id: "health-full",
        proves: "a container whose `/tmp` is full is unhealthy",
        source: "docs/specification.md, 6.3.4; a full `/tmp` makes Claude Code's commands answer nothing \
                 (anthropics/claude-code#35442)",
        remedy: "the health check must see whether TMPDIR and HOME have room",
        how: How::Waiting(full),
    },
    Check {
        id: "health-repository",
        proves: "a container whose workspace is a worktree without its repository is unhealthy",
        source: "docs/specification.md, 6.3.4: return healthy/unhealthy status; devcontainers/cli#796",
        remedy: "the health check must see whether `.git` leads to a repository",
        how: How::Waiting(repository),
    },
    Check {
        id: "health-root",
        proves: "in a container that was started as root, the health check and headless Claude Code \
                 are the agent's",
        source: "docs/specification.md, 6.3.2: set correct permissions; the entrypoint steps down from root",
        remedy: "`health` and `headless` must become agentgate, and leave no file of root's behind",
        how: How::Waiting(as_root),
    },
];

/// So that answers come, and count, soon; the command is the image's own. The engine takes 0 for
/// what the image says.
const SOON: [&str; 3] = [
    "--health-interval=1s",
    "--health-start-period=1ms",
    "--health-retries",
];
/// The time limit of each of the entrypoint's probes.
const PROBE_SECONDS: &str = "AGENT_ENTRYPOINT_PROBE_SECONDS";
/// The words for a time limit that ran out: the entrypoint's, and the engine's.
const TOO_LATE: [&str; 2] = ["no answer within", "exceeded timeout"];

fn healthy(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    // A machine that is busy may be too slow once.
    let health = ask(sandbox, sandbox.contract(), "3")?;
    Ok(judge_healthy(&health))
}

fn no_workspace(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let health = ask(sandbox, sandbox.contract().without_workspace(), "1")?;
    Ok(judge_unhealthy(&health, "workspace"))
}

fn no_claude(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let file = sandbox.file("not a program", 0o644)?;
    let start = sandbox.contract().mount(&file, "/usr/local/bin/claude");
    Ok(judge_unhealthy(&ask(sandbox, start, "1")?, "claude"))
}

fn no_node(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let file = sandbox.file("#!/bin/sh\nexit 1\n", 0o755)?;
    let start = sandbox.contract().mount(&file, "/usr/local/bin/node");
    Ok(judge_unhealthy(&ask(sandbox, start, "1")?, "node"))
}

/// Says as whom `headless` runs Claude Code: a script in its place, which takes no seconds and leaves files, too.
/// Then files of root's that lock an agent out are listed.
const ROOT: &str = r#"printf '#!/bin/sh\nid -u\ntouch ~/own /tmp/own\n' >claude && chmod 755 claude &&
PATH=$PWD:$PATH agent-entrypoint headless hello
find "$HOME" /tmp -mindepth 1 -uid 0; true"#;

fn as_root(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let folder = sandbox.workspace()?;
    let start = sandbox.plain().user("root").workspace(&folder, "rw");
    let container = asked(sandbox, start, "3").start()?;
    let health = answer(&container)?;
    let left = container.exec(&["sh", "-c", ROOT])?;
    Ok(judge_root(&health, &left))
}

fn judge_root(health: &Health, left: &Ran) -> Verdict {
    const EXPECTED: &str =
        "healthy, Claude Code as UID 1000, and no file of root's in HOME and /tmp";
    match (health.status.as_str(), left.code, left.stdout.trim()) {
        ("healthy", 0, "1000") => Verdict::passed(EXPECTED),
        ("healthy", 0, found) => Verdict::failed(lines(found), EXPECTED),
        ("healthy", ..) => Verdict::failed(left.describe(), EXPECTED),
        _ => unwell(health, EXPECTED),
    }
}

/// Fills `/tmp`, and waits then.
const FILL: &str = "cat /dev/zero >/tmp/full 2>/dev/null; exec sleep infinity";

fn full(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let small = ["--tmpfs", "/tmp:rw,noexec,nosuid,size=64k"];
    let start = sandbox.contract().options(&small);
    let start = start.command(&["sh", "-c", FILL]);
    Ok(judge_unhealthy(&ask(sandbox, start, "1")?, "/tmp"))
}

fn repository(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let folder = sandbox.workspace()?;
    let file = folder.join(".git");
    let written = fs::write(&file, "gitdir: /elsewhere/.git/worktrees/this\n");
    written.with_context(|| format!("failed to write `{}`", file.display()))?;
    let start = sandbox.contract().workspace(&folder, "rw");
    Ok(judge_unhealthy(&ask(sandbox, start, "1")?, "/elsewhere"))
}

/// Waits for a good answer, or for so many bad ones.
fn ask(sandbox: &Sandbox, start: Start, retries: &str) -> anyhow::Result<Health> {
    answer(&asked(sandbox, start, retries).start()?)
}

/// A container that is asked soon. A machine that is slow gets time limits that are longer than the image's own.
fn asked<'a>(sandbox: &Sandbox, start: Start<'a>, retries: &str) -> Start<'a> {
    let start = start.with_health_check().options(&SOON);
    let start = start.options(&[retries]);
    match sandbox.limits().health() {
        None => start,
        Some((whole, probe)) => start.options(&[
            format!("--health-timeout={whole}s"),
            "--env".to_owned(),
            format!("{PROBE_SECONDS}={probe}"),
        ]),
    }
}

fn answer(container: &Container) -> anyhow::Result<Health> {
    let answer = |container: &Container| {
        let health = container.health()?;
        Ok((health.status != "starting").then_some(health))
    };
    container.until("the health check", answer)
}

fn judge_healthy(health: &Health) -> Verdict {
    match health.status.as_str() {
        "healthy" => Verdict::passed("healthy"),
        _ => unwell(health, "healthy"),
    }
}

fn judge_unhealthy(health: &Health, word: &str) -> Verdict {
    let says_why = health.said.to_lowercase().contains(word);
    if health.status == "unhealthy" && says_why {
        return Verdict::passed(describe(health));
    }
    unwell(health, format!("unhealthy, with a word on `{word}`"))
}

fn unwell(health: &Health, expected: impl Into<String>) -> Verdict {
    if TOO_LATE.iter().any(|words| health.said.contains(words)) {
        return Verdict::slow(describe(health), expected);
    }
    Verdict::failed(describe(health), expected)
}

/// What is well is not repeated.
fn describe(health: &Health) -> String {
    let bad = health.said.lines().filter(|line| !line.starts_with("ok "));
    let bad: String = bad.map(|line| format!("{line}\n")).collect();
    match (health.status.as_str(), bad.trim()) {
        ("none", _) => "no health check".to_owned(),
        (status, "") => status.to_owned(),
        (status, said) => format!("{status}: {}", lines(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::line as said;

    fn health(status: &str, said: &str) -> Health {
        Health {
            status: status.to_owned(),
            said: said.to_owned(),
        }
    }

    #[test]
    fn health_is_the_engines_word() {
        assert_eq!(
            said(judge_healthy(&health("healthy", "ok"))),
            "passed: healthy"
        );
        let sick = health("unhealthy", "claude: exit 1\n");
        assert_eq!(
            said(judge_healthy(&sick)),
            "failed: unhealthy: `claude: exit 1`"
        );
        assert_eq!(
            said(judge_healthy(&health("none", ""))),
            "failed: no health check"
        );
    }

    #[test]
    fn being_unhealthy_must_be_explained() {
        for (status, words, passes) in [
            ("unhealthy", "node ok\nclaude: cannot be executed\n", true),
            ("unhealthy", "node: exit 1\n", false),
            ("unhealthy", "", false),
            ("healthy", "claude ok\n", false),
            ("none", "", false),
        ] {
            let text = said(judge_unhealthy(&health(status, words), "claude"));
            assert_eq!(text.starts_with("passed"), passes, "{text}");
        }
    }

    #[test]
    fn an_answer_that_comes_too_late_is_a_matter_of_time() {
        let late = "fail claude: no answer within 8 s\n";
        let killed = "Health check exceeded timeout (10s)";
        for (verdict, is_slow) in [
            (judge_healthy(&health("unhealthy", late)), true),
            (judge_healthy(&health("unhealthy", killed)), true),
            (
                judge_healthy(&health(
                    "unhealthy",
                    "fail claude: `claude` exited with 1\n",
                )),
                false,
            ),
            (
                judge_unhealthy(&health("unhealthy", killed), "workspace"),
                true,
            ),
            // Whatever else comes late: what is missing was named.
            (judge_unhealthy(&health("unhealthy", late), "claude"), false),
            (
                judge_root(&health("unhealthy", late), &Ran::default()),
                true,
            ),
        ] {
            assert_eq!(verdict.too_slow().is_some(), is_slow, "{verdict:?}");
        }
    }

    #[test]
    fn what_root_leaves_behind_is_named() {
        let left = |code: i32, stdout: &str| Ran {
            code,
            stdout: stdout.to_owned(),
            stderr: String::new(),
        };
        let (well, sick) = (health("healthy", ""), health("unhealthy", "fail home: x\n"));
        for (health, left, expected) in [
            (
                &well,
                left(0, "1000\n"),
                "passed: healthy, Claude Code as UID 1000, and no file of root's in HOME and /tmp",
            ),
            (&well, left(0, ""), "failed: nothing"),
            (&well, left(0, "0\n/tmp/own\n"), "failed: `0`, `/tmp/own`"),
            (&well, left(0, "1000\n/tmp/a\n"), "failed: `1000`, `/tmp/a`"),
            (&well, left(127, ""), "failed: exit 127, no output"),
            (&sick, left(0, ""), "failed: unhealthy: `fail home: x`"),
        ] {
            assert_eq!(said(judge_root(health, &left)), expected);
        }
    }
}
