//! The workspace, for any owner and any way of mounting it.

#[cfg(test)]
mod tests;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use anyhow::Context as _;

use crate::check::Verdict;
use crate::checks::inspect::printed;
use crate::sandbox::{Container, Ran, Sandbox};

/// The server's commands, and what each prints.
const COMMANDS: [(&[&str], &str); 4] = [
    (&["mkdir", "-p", "a/b"], ""),
    (&["sh", "-c", "printf '%s' 'x y' > a/b/file"], ""),
    (&["cat", "a/b/file"], "x y"),
    (&["ls", "-1", "a/b"], "file\n"),
];

pub(super) fn files(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let folder = sandbox.workspace()?;
    let container = sandbox.contract().workspace(&folder, "rw").start()?;
    let mut said = Vec::new();
    for (command, prints) in COMMANDS {
        said.push((command.join(" "), prints, container.exec(command)?));
    }
    let on_the_host = fs::read_to_string(folder.join("a/b/file"));
    let on_the_host = on_the_host.map_err(|error| error.to_string());
    Ok(judge_files(&said, on_the_host.as_deref()))
}

pub(super) fn judge_files(
    said: &[(String, &str, Ran)],
    on_the_host: Result<&str, &String>,
) -> Verdict {
    const EXPECTED: &str = "`a/b/file` with `x y`, in the container and on the host";
    for (command, prints, ran) in said {
        if ran.code != 0 || !ran.stderr.is_empty() {
            return Verdict::failed(format!("`{command}`: {}", ran.describe()), EXPECTED);
        }
        if ran.stdout != *prints {
            let seen = format!("`{command}` prints {:?}", ran.stdout);
            return Verdict::failed(seen, EXPECTED);
        }
    }
    match on_the_host {
        Ok("x y") => Verdict::passed("written, read, and on the host"),
        Ok(other) => Verdict::failed(format!("{other:?} on the host"), EXPECTED),
        Err(why) => Verdict::failed(format!("not on the host: {why}"), EXPECTED),
    }
}

/// Nobody in the image, and not who runs this.
const STRANGER: &str = "4242:4242";
/// Makes a repository of the current folder. What is asked for here holds for nobody else.
const INIT: &str = "git -c safe.directory='*' -c user.name=a -c user.email=a@b.invalid";

pub(super) fn git_owner(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.contract().start()?;
    let made = format!("{INIT} init -q -b main . && {INIT} commit -q --allow-empty -m one");
    judge_git_in(
        &container,
        &made,
        "git status --short --branch && git log --format=%s",
    )
}

pub(super) fn git_nested(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let made = format!(
        "mkdir -p contract-git-nested/inner && cd contract-git-nested && {INIT} init -q . && \
         cd inner && {INIT} init -q -b main . && {INIT} commit -q --allow-empty -m one"
    );
    let look = "cd contract-git-nested && git status --short >/dev/null && cd inner && \
                git status --short --branch && git log --format=%s";
    judge_git_in(&sandbox.shared(), &made, look)
}

fn judge_git_in(container: &Container, made: &str, look: &str) -> anyhow::Result<Verdict> {
    let made = container.exec_with(&["--user", STRANGER], &["sh", "-c", made])?;
    let seen = container.exec(&["sh", "-c", look])?;
    Ok(judge_git(&made, &seen))
}

pub(super) fn judge_git(made: &Ran, seen: &Ran) -> Verdict {
    if made.code != 0 {
        let seen = format!("no repository can be made: {}", made.describe());
        return Verdict::failed(seen, "a repository of another user");
    }
    let refused = |line: &&str| line.contains("dubious ownership");
    match seen.stderr.lines().find(refused) {
        Some(line) => Verdict::failed(format!("`{line}`"), "`git status` and `git log`"),
        None => printed(seen, &["## main", "one"]),
    }
}

pub(super) fn read_only(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let ran = read_in(sandbox, "ro", 0o777)?;
    Ok(judge_warned(&ran, "is read-only"))
}

pub(super) fn unwritable(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let ran = read_in(sandbox, "rw", 0o555)?;
    Ok(judge_warned(&ran, "is not writable"))
}

/// Reads a file in a workspace that is mounted so and has this mode.
fn read_in(sandbox: &Sandbox, how: &'static str, mode: u32) -> anyhow::Result<Ran> {
    let folder = sandbox.workspace()?;
    let allow = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode));
    let failed = || format!("failed to prepare `{}`", folder.display());
    let written = fs::write(folder.join("file"), "x");
    written.and_then(|()| allow(mode)).with_context(failed)?;
    let start = sandbox.contract().workspace(&folder, how);
    let ran = start.command(&["cat", "file"]).run();
    // Who runs this may not be root, and has to remove what is in it.
    allow(0o777).with_context(failed)?;
    ran
}

pub(super) fn judge_warned(read: &Ran, what: &str) -> Verdict {
    const EXPECTED: &str = "a file that can be read, and a warning on stderr";
    if read.code != 0 || read.stdout != "x" {
        return Verdict::failed(read.describe(), EXPECTED);
    }
    let is_warning = |line: &&str| line.contains("warning: ") && line.contains(what);
    match read.stderr.lines().find(is_warning) {
        Some(line) => {
            let line = line.split("; hint").next().unwrap_or(line);
            Verdict::passed(format!("`{line}`"))
        }
        None => Verdict::failed(format!("no warning that the workspace {what}"), EXPECTED),
    }
}

pub(super) fn no_mount(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let script = "pwd; id -un; echo x >file && cat file";
    let ran = sandbox.plain().command(&["bash", "-c", script]).run()?;
    Ok(judge_no_mount(&ran))
}

/// A note on stderr is right: what is written there goes with the container.
pub(super) fn judge_no_mount(ran: &Ran) -> Verdict {
    let quiet = Ran {
        stderr: String::new(),
        ..ran.clone()
    };
    match ran.code {
        0 => printed(&quiet, &["/workspace", "agentgate", "x"]),
        _ => Verdict::failed(ran.describe(), "/workspace, agentgate, x"),
    }
}
