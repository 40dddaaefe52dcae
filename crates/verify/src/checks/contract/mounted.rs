//! The contract's second way, which is the server's default: the host's Claude Code is mounted into
//! HOME, the root file system is writable, and there is a network.

use super::start;
use crate::check::{How, Verdict};
use crate::sandbox::{Sandbox, Stopped};

/// Where a network is, a request does not fail at once.
const FIRST_WAY_ALONE: [&str; 1] = ["contract-network"];

/// The contract's checks of one command, one after the other in one container; then its end.
pub(super) fn works(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let container = sandbox.mounted()?.start()?;
    let started = start::in_container(&container)?;
    if matches!(started, Verdict::Failed(_)) {
        return Ok(started);
    }
    let mut count = 1;
    for check in super::CHECKS {
        let How::Exec(command, judge) = check.how else {
            continue;
        };
        if FIRST_WAY_ALONE.contains(&check.id) {
            continue;
        }
        match judge(sandbox.expected(), &container.exec(command)?) {
            Verdict::Failed(failure) => {
                let seen = format!("{}: {}", check.id, failure.seen);
                return Ok(Verdict::failed(seen, failure.expected));
            }
            Verdict::Passed(_) | Verdict::NotApplicable(_) => count += 1,
        }
    }
    Ok(judge_end(count, &container.stop_patiently()?))
}

pub(super) fn judge_end(count: usize, stopped: &Stopped) -> Verdict {
    match stopped.code {
        0 => Verdict::passed(format!(
            "{count} checks, and an end in {:.1} s",
            stopped.seconds
        )),
        code => Verdict::failed(
            format!("it ends with exit {code}"),
            "exit 0 at `docker stop`",
        ),
    }
}
