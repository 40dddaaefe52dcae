//! `agent-entrypoint health`: do Node and Claude answer, and can an agent use the workspace, its git
//! repository, HOME, the temporary folder and Claude Code's credentials?
//!
//! The probes run together, each in a process of its own that can be killed: any of them can hang, even
//! on a folder whose network file system is gone. A fork costs less than a tenth of a millisecond.
//! `HEALTHCHECK` and `docker exec` start this beside a running PID 1.

mod answer;
mod folders;
mod git;
mod probe;

use core::fmt::{self, Display, Formatter, Write};

use rustix::fd::OwnedFd;
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::io::{Errno, retry_on_intr};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, WaitOptions, getpid, set_child_subreaper, setpgid, wait};

use self::answer::{Answer, Asked, Verdict};
use self::probe::Probe;
use crate::config::Probes;
use crate::descendants;
use crate::exit::{self, Refusal};
use crate::say;
use crate::signals::{Signal, Signals};
use crate::sys::{self, CallerSignals, Side, Start, Target};
use crate::text::{Shown, Text};

/// A probe that was started.
struct Running {
    probe: Probe,
    pid: Pid,
    /// The pipe with its answer.
    pipe: OwnedFd,
    /// Its raw status and the milliseconds it took, once it has ended.
    end: Option<(i32, u64)>,
}

type Runs = [Result<Running, Errno>; Probe::ALL.len()];

/// Runs all probes and prints what they found; returns the exit code.
#[inline(never)]
pub fn check(asked: &Probes<'_>, start: &Start<'_>, caller: CallerSignals) -> u8 {
    sys::take_child_signal(caller);
    let question = Asked {
        probes: asked,
        environment: start.environment,
        me: start.user,
    };
    // What a probe leaves behind stays a descendant, so that it can be killed if it hangs.
    let _ = set_child_subreaper(Some(getpid()));
    let begin = sys::now();
    let deadline = begin.saturating_add(u64::from(asked.seconds) * 1000);
    let mut runs: Runs = Probe::ALL.map(|probe| begin_probe(probe, &question, caller));
    loop {
        collect(&mut runs, begin);
        let left = deadline.saturating_sub(sys::now());
        if left == 0 || each(&mut runs).all(|run| run.end.is_some()) {
            kill_what_hangs(&mut runs);
            return report(&mut runs, asked);
        }
        sys::wait_signal(Signals::CHLD, Some(left));
    }
}

/// Starts a probe in a process group of its own, so that all of it can be ended.
#[inline(never)]
fn begin_probe(probe: Probe, asked: &Asked<'_>, caller: CallerSignals) -> Result<Running, Errno> {
    let (pipe, other_end) = pipe_with(PipeFlags::CLOEXEC)?;
    // A process that the probe has started may hold the other end open for ever.
    fcntl_setfl(&pipe, OFlags::NONBLOCK)?;
    match sys::fork()? {
        Side::Child => {
            let _ = setpgid(None, None);
            sys::exit(probe.run(asked, caller, &other_end))
        }
        Side::Parent(pid) => Ok(Running {
            probe,
            pid,
            pipe,
            end: None,
        }),
    }
}

fn each(runs: &mut Runs) -> impl Iterator<Item = &mut Running> {
    runs.iter_mut().flatten()
}

/// Collects the children that have ended.
fn collect(runs: &mut Runs, begin: u64) {
    while let Ok(Some((pid, status))) = retry_on_intr(|| wait(WaitOptions::NOHANG)) {
        let time = sys::now().saturating_sub(begin);
        if let Some(run) = each(runs).find(|run| run.pid == pid) {
            run.end = Some((status.as_raw(), time));
        }
    }
}

/// Kills the probes that did not end in time, with what they started.
#[inline(never)]
fn kill_what_hangs(runs: &mut Runs) {
    let mut hangs = false;
    for run in each(runs).filter(|run| run.end.is_none()) {
        // One that has just ended makes this fail.
        let _ = sys::send(Target::Group(run.pid), Signal::KILL);
        hangs = true;
    }
    if hangs {
        // Processes in groups of their own. Without `/proc` they cannot be found.
        let _ = descendants::each(|pid| {
            let _ = sys::send(Target::Process(pid), Signal::KILL);
        });
    }
}

impl Running {
    /// Judges what was answered in time.
    fn finish(&self, seconds: u32) -> Verdict {
        let Some((status, _)) = self.end else {
            return Verdict::fail(format_args!("no answer within {seconds} s"));
        };
        let mut answer = Answer::new();
        let read = retry_on_intr(|| rustix::io::read(&self.pipe, answer.room()));
        answer.grow(read.unwrap_or(0));
        self.probe.judge(answer.as_bytes(), status)
    }
}

/// Prints a line for each probe, or one JSON document:
///
/// `{"schema":1,"probes":[{"name":"node","ok":true,"answer":"v20.20.2","milliseconds":38}],"healthy":true}`,
/// with `reason` instead of `answer` where `ok` is false.
#[inline(never)]
fn report(runs: &mut Runs, asked: &Probes<'_>) -> u8 {
    let mut code = exit::OK;
    let mut before = "{\"schema\":1,\"probes\":[";
    for (probe, run) in Probe::ALL.into_iter().zip(runs) {
        let (verdict, time) = match run {
            Ok(run) => (
                run.finish(asked.seconds),
                run.end
                    .map_or(u64::from(asked.seconds) * 1000, |(_, time)| time),
            ),
            Err(errno) => (
                Verdict::fail(format_args!("{}", Refusal::NoProcess(*errno))),
                0,
            ),
        };
        let ok = verdict.is_well;
        let name = probe.name();
        let text = Shown(verdict.text.as_bytes());
        let line = if asked.json {
            let (key, text) = (if ok { "answer" } else { "reason" }, Json(text));
            Text::<4096>::of(format_args!(
                "{before}{{\"name\":\"{name}\",\"ok\":{ok},\"{key}\":\"{text}\",\"milliseconds\":{time}}}"
            ))
        } else {
            let (word, colon) = if ok { ("ok", "") } else { ("fail", ":") };
            Text::of(format_args!("{word} {name}{colon} {text}\n"))
        };
        before = ",";
        code = code.max(u8::from(!ok)).max(say::data(line.as_bytes()));
    }
    if asked.json {
        let healthy = code == exit::OK;
        let end = Text::<32>::of(format_args!("],\"healthy\":{healthy}}}\n"));
        code = code.max(say::data(end.as_bytes()));
    }
    code
}

/// Escapes a text for a JSON string. [`Shown`] has no control characters.
struct Json<T>(T);

impl<T: Display> Display for Json<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        struct Escaping<'a, 'b>(&'a mut Formatter<'b>);
        impl Write for Escaping<'_, '_> {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                for c in text.chars() {
                    if matches!(c, '"' | '\\') {
                        self.0.write_char('\\')?;
                    }
                    self.0.write_char(c)?;
                }
                Ok(())
            }
        }
        write!(Escaping(f), "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_escaped_for_json() {
        let text = Json(Shown(b"a \"b\" \\ \xff\n"));
        assert_eq!(text.to_string(), "a \\\"b\\\" \\\\ \u{fffd}?");
    }

    proptest::proptest! {
        /// Any answer becomes a valid JSON string that reads as it is shown.
        #[test]
        fn any_answer_is_a_json_string(bytes: Vec<u8>) {
            let text = format!("\"{}\"", Json(Shown(&bytes)));
            let read: String = serde_json::from_str(&text).unwrap();
            proptest::prop_assert_eq!(read, Shown(&bytes).to_string());
        }
    }
}
