//! What goes wrong with containers: some of it is the image's fault, and the rest proves nothing.

use std::fmt;
use std::time::Duration;

use super::ran::Ran;
use xtask::printable::short;

/// A container that did not do what any container of a good image does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The program and its limit.
    TimedOut(String, Duration),
    /// What the engine itself was asked to do, and the limit: the image has no part in it.
    NoAnswer(String, Duration),
    /// The engine's words.
    DidNotStart(String),
    /// It has ended, where it should be running.
    Ended(String),
}

impl Trouble {
    /// Whether a time limit ran out: a busy machine does that to a good image, too.
    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Trouble::TimedOut(..) | Trouble::NoAnswer(..))
    }

    /// Whether it is the image's fault.
    pub(crate) fn is_images(&self) -> bool {
        !matches!(self, Trouble::NoAnswer(..))
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::TimedOut(what, limit) | Trouble::NoAnswer(what, limit) => {
                let what = brief(what);
                write!(f, "`{what}` did not end within {} s", limit.as_secs())
            }
            Trouble::DidNotStart(why) => write!(f, "the container did not start: {why}"),
            Trouble::Ended(why) => write!(f, "the container has ended: {why}"),
        }
    }
}

impl std::error::Error for Trouble {}

/// The beginning of a command that is a script.
fn brief(command: &str) -> String {
    const LENGTH: usize = 60;
    let line = command
        .lines()
        .find(|line| line.trim().len() > "sh -c".len());
    let line = line.unwrap_or(command);
    let mut text: String = line.chars().take(LENGTH).collect();
    if text.len() < command.trim().len() {
        text += "…";
    }
    text
}

/// How the engine's client begins when it is the engine that fails it.
const ENGINE_IS_GONE: [&str; 6] = [
    "Cannot connect to the Docker daemon",
    "error during connect",
    "failed to connect to the docker API",
    "error waiting for container",
    "unexpected EOF",
    "connection reset by peer",
];

/// Fails when a program's words are those of a docker that has lost its engine, or whose container
/// did not start.
pub(super) fn of_program(ran: &Ran) -> anyhow::Result<()> {
    engine_answers(ran)?;
    // An exit code alone may be the program's own.
    let docker_says = |line: &&str| line.starts_with("docker: ");
    if let (125..=127, Some(line)) = (ran.code, ran.stderr.lines().find(docker_says)) {
        let why = short(line.trim_start_matches("docker: "));
        return Err(Trouble::DidNotStart(why).into());
    }
    Ok(())
}

/// Fails when a command of docker's own did.
pub(super) fn of_docker(verb: &str, ran: &Ran) -> anyhow::Result<()> {
    engine_answers(ran)?;
    anyhow::ensure!(ran.code == 0, "`docker {verb}` failed: {}", ran.describe());
    Ok(())
}

fn engine_answers(ran: &Ran) -> anyhow::Result<()> {
    let is_gone = |line: &&str| ENGINE_IS_GONE.iter().any(|words| line.contains(words));
    if ran.code != 0
        && let Some(line) = ran.stderr.lines().find(is_gone)
    {
        anyhow::bail!("the engine does not answer: {}", short(line));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(code: i32, stderr: &str) -> Ran {
        Ran {
            code,
            stderr: stderr.to_owned(),
            stdout: String::new(),
        }
    }

    #[test]
    fn trouble_is_known_by_dockers_own_words() {
        let start = "docker: Error response from daemon: failed to create task";
        for (code, stderr, trouble) in [
            (0, "", None),
            (0, start, None),
            (1, "sh: x: not found", None),
            (127, "agent-entrypoint: x: not found", None),
            (
                127,
                start,
                Some(
                    "the container did not start: Error response from daemon: failed to create task",
                ),
            ),
            (
                125,
                "docker: Cannot connect to the Docker daemon at unix:///x.",
                Some(
                    "the engine does not answer: docker: Cannot connect to the Docker daemon at unix:///x.",
                ),
            ),
        ] {
            let error = of_program(&ran(code, stderr)).err();
            assert_eq!(error.map(|error| error.to_string()).as_deref(), trouble);
        }
        let lost = of_program(&ran(1, "unexpected EOF")).unwrap_err();
        assert!(lost.downcast_ref::<Trouble>().is_none());
        let not_started = of_program(&ran(125, start)).unwrap_err();
        assert!(not_started.downcast_ref::<Trouble>().is_some());
    }

    #[test]
    fn a_program_that_is_slow_is_the_images_fault() {
        let limit = Duration::from_secs(30);
        let timed_out = Trouble::TimedOut("claude -p hi".to_owned(), limit);
        let ended = Trouble::Ended("gone".to_owned());
        assert!(timed_out.is_time() && timed_out.is_images());
        assert!(!ended.is_time() && ended.is_images());
    }

    #[test]
    fn a_script_is_named_by_its_beginning() {
        let script = "sh -c \nmkdir -p .claude\ncat";
        for (command, expected) in [
            ("claude -p hi", "claude -p hi"),
            (script, "mkdir -p .claude…"),
            ("sh", "sh"),
            ("", ""),
        ] {
            assert_eq!(brief(command), expected);
        }
        assert_eq!(brief(&"x".repeat(99)), format!("{}…", "x".repeat(60)));
    }

    #[test]
    fn docker_itself_must_succeed() {
        let error = of_docker("stop", &ran(1, "Error: no\n")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`docker stop` failed: exit 1, `Error: no`"
        );
        assert!(of_docker("stop", &ran(0, "a warning")).is_ok());
    }
}
