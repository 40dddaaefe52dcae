//! Usage: what is printed when asked, and what is refused.

use crate::harness::{As, entrypoint};
use crate::running::{Outcome, run};

#[test]
fn version_and_help_go_to_stdout() {
    let version = format!("agent-entrypoint {}\n", env!("CARGO_PKG_VERSION"));
    for flag in ["--version", "-V"] {
        let outcome = run(&mut entrypoint(As::Ordinary, &[flag]));
        assert_eq!(outcome, Outcome::new(0, &version, ""));
    }
    for flag in ["--help", "-h"] {
        let outcome = run(&mut entrypoint(As::Ordinary, &[flag]));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        for part in ["Usage:", "Exit codes:", "WORKSPACE", "126, 127", "78"] {
            assert!(outcome.stdout.contains(part), "{part}: {}", outcome.stdout);
        }
        let widest = outcome
            .stdout
            .lines()
            .map(|line| line.chars().count())
            .max();
        assert!(widest <= Some(110), "{widest:?}");
    }
}

#[test]
fn wrong_usage_exits_with_2_and_names_the_cure() {
    for (arguments, text) in [
        (
            &["--nope"][..],
            "unknown option: `--nope`; hint: `agent-entrypoint --help` lists them, and `--` goes before a command that starts with a dash",
        ),
        (
            &["health", "now"],
            "unknown argument of `health`: `now`; hint: `health [--json] [--deep]`, or `agent-entrypoint -- health …` for a program of that name",
        ),
    ] {
        let outcome = run(&mut entrypoint(As::Ordinary, arguments));
        let stderr = format!("agent-entrypoint: error: {text}\n");
        assert_eq!(outcome, Outcome::new(2, "", &stderr));
    }
}

#[test]
fn bad_values_of_variables_exit_with_2() {
    for (name, value, hint) in [
        (
            "WORKSPACE",
            "here",
            "set it to an absolute path below `/`, without `..`",
        ),
        ("AGENT_ENTRYPOINT_QUIET", "yes", "set it to `0` or `1`"),
    ] {
        let outcome = run(entrypoint(As::Ordinary, &["true"]).env(name, value));
        let stderr =
            format!("agent-entrypoint: error: bad value of `{name}`: `{value}`; hint: {hint}\n");
        assert_eq!(outcome, Outcome::new(2, "", &stderr));
    }
}
