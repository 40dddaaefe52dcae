//! The start of a container, and how long it takes.

use std::time::Instant;

use crate::check::Verdict;
use crate::limits::START_MILLISECONDS;
use crate::sandbox::{Container, Ran, Sandbox, Start};

pub(super) fn starts(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    let shared = sandbox.shared();
    if shared.status().is_ok() {
        return in_container(&shared);
    }
    // It did not start: once more, to say why.
    in_container(&sandbox.contract().start()?)
}

pub(super) fn in_container(container: &Container) -> anyhow::Result<Verdict> {
    // When it waits, or has ended, the entrypoint has said what it has to say.
    let seen = container.exec(&["bash", "-c", SEEN]);
    let status = container.status()?;
    if status == "running" {
        seen?;
    }
    Ok(judge_starts(&status, &container.logs()?))
}

pub(super) fn judge_starts(status: &str, logs: &Ran) -> Verdict {
    const EXPECTED: &str = "running, without a word";
    if status != "running" {
        let seen = match logs.stderr.lines().next_back() {
            Some(said) => format!("{status}, `{said}`"),
            None => status.to_owned(),
        };
        return Verdict::failed(seen, EXPECTED);
    }
    let said = logs.stdout.lines().chain(logs.stderr.lines());
    let said: Vec<String> = said.map(|line| format!("`{line}`")).collect();
    match said.as_slice() {
        [] => Verdict::passed(EXPECTED),
        said => Verdict::none_of(said, EXPECTED),
    }
}

/// Starts with the image's entrypoint in one pass, each of them but the last followed by one without it: what disturbs
/// one kind disturbs the other. The best of each counts: what an image adds is in every start, what a busy machine
/// adds is not. docs/verify.md has what that catches and forgives.
const STARTS: usize = 3;
/// A machine that is busy for a while is forgiven, too: another pass adds to what was measured.
const PASSES: usize = 3;
/// What a start may take of one without the image's entrypoint, where that alone takes more than the budget.
const RATIO: f64 = 1.25;
/// Ends when PID 1 waits: the image's entrypoint, or `sleep` where a container has none.
const SEEN: &str = r#"[ -n "$BASH_VERSION" ] || { echo "\`bash\` is another shell" >&2; exit 2; }
until { read -r name </proc/1/comm && read -r stat </proc/1/stat; } 2>/dev/null &&
    [[ $name == agent-entrypoin || $name == sleep ]] && [[ ${stat##*) } == S* ]]; do :; done"#;

pub(super) fn time(sandbox: &Sandbox) -> anyhow::Result<Verdict> {
    if sandbox.is_emulated() {
        let why = "it is emulated, so times say nothing";
        return Ok(Verdict::NotApplicable(why.to_owned()));
    }
    let (mut whole, mut bare) = (Vec::new(), Vec::new());
    let mut verdict = judge_time(&whole, &bare);
    for _ in 0..PASSES {
        for round in 1..=STARTS {
            match sample(sandbox.contract())? {
                Ok(time) => whole.push(time),
                Err(ran) => return Ok(Verdict::failed(ran.describe(), "PID 1 waits")),
            }
            if round == STARTS {
                continue;
            }
            let without = sandbox.contract().options(&["--entrypoint", "sleep"]);
            if let Ok(time) = sample(without.command(&["infinity"]))? {
                bare.push(time);
            }
        }
        verdict = judge_time(&whole, &bare);
        if matches!(verdict, Verdict::Passed(_)) {
            break;
        }
    }
    Ok(verdict)
}

/// Milliseconds from the creation to an exec that has seen PID 1 wait.
fn sample(start: Start) -> anyhow::Result<Result<f64, Ran>> {
    let begun = Instant::now();
    let container = start.start()?;
    let ran = container.exec(&["bash", "-c", SEEN])?;
    let time = begun.elapsed().as_secs_f64() * 1000.0;
    Ok(if ran.code == 0 { Ok(time) } else { Err(ran) })
}

/// `whole` is what it took with the image's entrypoint, `bare` without it.
pub(super) fn judge_time(whole: &[f64], bare: &[f64]) -> Verdict {
    let expected =
        format!("{START_MILLISECONDS:.0} ms, or {RATIO} times as long as without the entrypoint");
    let Some(whole) = best(whole) else {
        return Verdict::failed("no start was measured", expected);
    };
    let (seen, ratio) = match best(bare) {
        Some(bare) => (
            format!("{whole:.0} ms, {bare:.0} ms without the entrypoint"),
            whole / bare,
        ),
        None => (
            format!("{whole:.0} ms; without the entrypoint it does not start"),
            f64::INFINITY,
        ),
    };
    if whole <= START_MILLISECONDS || ratio <= RATIO {
        Verdict::passed(seen)
    } else {
        Verdict::slow(seen, expected)
    }
}

fn best(times: &[f64]) -> Option<f64> {
    times.iter().copied().min_by(f64::total_cmp)
}
