//! The workspace before start: is it there, is it a mount, can it be written to, whose is it?
//!
//! [`look`] observes, [`plan`] decides, [`prepare`] acts. git's `safe.directory` is the image's
//! `/etc/gitconfig`'s business: nothing is written for it.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

use rustix::fs::Access;
use rustix::io::Errno;

use crate::exit::{self, Refusal};
use crate::mounts;
use crate::say;

/// The image's user, agentgate.
const AGENT: Ids = Ids {
    uid: 1000,
    gid: 1000,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ids {
    uid: u32,
    gid: u32,
}

impl fmt::Display for Ids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

/// The map of a process that is in no user namespace but the first.
const ALL_UIDS: [&str; 3] = ["0", "0", "4294967295"];

/// What is to be known about a workspace that is a directory.
struct Seen {
    owner: Ids,
    mode: u32,
    me: Ids,
    /// Root of the machine. Root of a user namespace (rootless Docker) may well be the owner of the
    /// folder on the host, who would lose it to a subordinate UID.
    real_root: bool,
    /// The answer to "may I write here?"; `ROFS` is a read-only mount.
    write: Result<(), Errno>,
    /// Asked for, found out, and not a mount.
    unmounted: bool,
}

#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Give it to the agent's user.
    Give,
    Warn(String),
    Note(String),
}

/// Checks the workspace and mends what can be mended; refuses if there is none.
pub fn prepare(path: &Path, verbose: bool) -> Result<(), Refusal> {
    let seen = look(path, verbose)?;
    for step in plan(path, &seen) {
        match step {
            Step::Give => give(path),
            Step::Warn(text) => say::warning(&text),
            Step::Note(text) => say::note(&text),
        }
    }
    Ok(())
}

fn look(path: &Path, verbose: bool) -> Result<Seen, Refusal> {
    let refuse = |what: &str| Refusal {
        code: exit::NO_WORKSPACE,
        text: format!(
            "workspace `{}` {what}; {}",
            path.display(),
            mount_hint(path)
        ),
    };
    let metadata = fs::metadata(path).map_err(|err| match err.kind() {
        ErrorKind::NotFound => refuse("does not exist"),
        _ => refuse(&format!("cannot be looked at: {err}")),
    })?;
    if !metadata.is_dir() {
        return Err(refuse("is not a directory"));
    }
    Ok(Seen {
        owner: Ids {
            uid: metadata.uid(),
            gid: metadata.gid(),
        },
        mode: metadata.mode() & 0o7777,
        me: Ids {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        },
        real_root: rustix::process::geteuid().is_root() && knows_all_uids(),
        write: rustix::fs::access(path, Access::WRITE_OK | Access::EXEC_OK),
        unmounted: verbose && mounts::is_mounted(path).is_ok_and(|mounted| !mounted),
    })
}

fn knows_all_uids() -> bool {
    let map = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    map.split_whitespace().eq(ALL_UIDS)
}

fn plan(path: &Path, seen: &Seen) -> Vec<Step> {
    let mut steps = Vec::new();
    let name = path.display();
    if seen.unmounted {
        steps.push(Step::Note(format!(
            "workspace `{name}` is not a mount, what is written there goes with the container; {}",
            mount_hint(path)
        )));
    }
    match seen.write {
        Err(Errno::ROFS) => steps.push(Step::Warn(format!(
            "workspace `{name}` is read-only; {}",
            mount_hint(path)
        ))),
        _ if seen.real_root && seen.owner != AGENT => steps.push(Step::Give),
        Err(_) => steps.push(Step::Warn(not_writable(path, seen))),
        Ok(()) => {}
    }
    steps
}

fn not_writable(path: &Path, seen: &Seen) -> String {
    let (owner, me) = (seen.owner, seen.me);
    let user = match owner.uid {
        // To become root for it would be no remedy.
        0 => String::new(),
        uid if uid == me.uid => {
            return format!(
                "workspace `{}` is not writable: mode {:04o}; hint: on the host: `chmod u+rwx \"$PWD\"`",
                path.display(),
                seen.mode
            );
        }
        _ => format!(", or run the container with `--user {owner}`"),
    };
    format!(
        "workspace `{}` is not writable: it belongs to {owner}, mode {:04o}, and this is {me}; hint: on the host: `sudo chown {me} \"$PWD\"`{user}",
        path.display(),
        seen.mode
    )
}

/// Gives the top level to the agent's user, and says so: on a bind mount it is the host's folder.
fn give(path: &Path) {
    let name = path.display();
    match chown(path, Some(AGENT.uid), Some(AGENT.gid)) {
        Ok(()) => say::note(&format!(
            "gave workspace `{name}` (top level only) to {AGENT}"
        )),
        Err(err) => say::warning(&format!(
            "cannot give workspace `{name}` to {AGENT}: {err}; hint: on the host: `sudo chown {AGENT} \"$PWD\"`"
        )),
    }
}

/// How to mount one, for messages.
pub fn mount_hint(path: &Path) -> String {
    format!("hint: docker run -v \"$PWD:{}\" …", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HINT: &str = "hint: docker run -v \"$PWD:/workspace\" …";

    fn ids(id: u32) -> Ids {
        Ids { uid: id, gid: id }
    }

    #[test]
    fn each_state_has_its_steps() {
        let warn = |text: &str| vec![Step::Warn(text.to_owned())];
        for (me, owner, mode, write, unmounted, expected) in [
            (1000, 1000, 0o755, Ok(()), false, vec![]),
            (1234, 1000, 0o777, Ok(()), false, vec![]),
            (0, 1000, 0o755, Ok(()), false, vec![]),
            (0, 0, 0o755, Ok(()), false, vec![Step::Give]),
            (0, 1001, 0o700, Err(Errno::ACCESS), false, vec![Step::Give]),
            (
                1000,
                1000,
                0o755,
                Ok(()),
                true,
                vec![Step::Note(format!(
                    "workspace `/workspace` is not a mount, what is written there goes with the container; {HINT}"
                ))],
            ),
            (
                0,
                0,
                0o755,
                Err(Errno::ROFS),
                false,
                warn(&format!("workspace `/workspace` is read-only; {HINT}")),
            ),
            (
                1000,
                1001,
                0o755,
                Err(Errno::ACCESS),
                false,
                warn(
                    "workspace `/workspace` is not writable: it belongs to 1001:1001, mode 0755, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 \"$PWD\"`, or run the container with `--user 1001:1001`",
                ),
            ),
            (
                1000,
                0,
                0o700,
                Err(Errno::ACCESS),
                false,
                warn(
                    "workspace `/workspace` is not writable: it belongs to 0:0, mode 0700, and this is 1000:1000; hint: on the host: `sudo chown 1000:1000 \"$PWD\"`",
                ),
            ),
            (
                1000,
                1000,
                0o555,
                Err(Errno::ACCESS),
                false,
                warn(
                    "workspace `/workspace` is not writable: mode 0555; hint: on the host: `chmod u+rwx \"$PWD\"`",
                ),
            ),
        ] {
            let seen = Seen {
                owner: ids(owner),
                mode,
                me: ids(me),
                real_root: me == 0,
                write,
                unmounted,
            };
            assert_eq!(plan(Path::new("/workspace"), &seen), expected);
        }
    }
}
