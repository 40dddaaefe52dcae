//! What is asked for: arguments and environment become a [`Config`], without looking anywhere else.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::exit::{self, Refusal};
use crate::help;

pub const WORKSPACE: &str = "WORKSPACE";
pub const VERBOSE: &str = "AGENT_ENTRYPOINT_VERBOSE";
pub const PROBE_SECONDS: &str = "AGENT_ENTRYPOINT_PROBE_SECONDS";

const DEFAULT_WORKSPACE: &str = "/workspace";
/// Below the `--timeout` of the image's HEALTHCHECK, so that what hangs is named before Docker loses patience.
const DEFAULT_PROBE_SECONDS: u64 = 8;

#[derive(Debug, PartialEq, Eq)]
pub enum Config {
    Run(Run),
    Health(Probes),
    /// Print this to stdout, nothing else.
    Print(String),
}

/// Command mode, or keep-alive mode when there is no command.
#[derive(Debug, PartialEq, Eq)]
pub struct Run {
    pub command: Option<CommandLine>,
    pub workspace: PathBuf,
    pub verbose: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct CommandLine {
    pub program: OsString,
    pub arguments: Vec<OsString>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Probes {
    pub workspace: PathBuf,
    /// How long each probe may take; they run at the same time.
    pub limit: Duration,
}

impl Config {
    /// Reads this process's own arguments and environment.
    pub fn from_process() -> Result<Self, Refusal> {
        Self::parse(std::env::args_os().skip(1), |name| std::env::var_os(name))
    }

    /// Decides by the first argument; `arguments` come without the program's own name.
    fn parse(
        mut arguments: impl Iterator<Item = OsString>,
        env: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, Refusal> {
        let Some(first) = arguments.next() else {
            return run(None, &env);
        };
        match first.to_str() {
            Some("--") => run(command_line(arguments), &env),
            Some("health") => {
                refuse_more("health", arguments)?;
                let limit = Duration::from_secs(probe_seconds(env(PROBE_SECONDS))?);
                let workspace = workspace(env(WORKSPACE))?;
                Ok(Self::Health(Probes { workspace, limit }))
            }
            Some("--help" | "-h") => Ok(Self::Print(help::TEXT.to_owned())),
            Some("--version" | "-V") => Ok(Self::Print(help::VERSION.to_owned())),
            Some(option) if option.starts_with('-') => Err(usage(format!(
                "unknown option: `{option}`; hint: `agent-entrypoint --help` lists them, and `--` goes before a command that starts with a dash"
            ))),
            _ => run(command_line(std::iter::once(first).chain(arguments)), &env),
        }
    }
}

fn run(
    command: Option<CommandLine>,
    env: &impl Fn(&str) -> Option<OsString>,
) -> Result<Config, Refusal> {
    Ok(Config::Run(Run {
        command,
        workspace: workspace(env(WORKSPACE))?,
        verbose: switch(VERBOSE, env(VERBOSE))?,
    }))
}

fn command_line(mut words: impl Iterator<Item = OsString>) -> Option<CommandLine> {
    let program = words.next()?;
    let arguments = words.collect();
    Some(CommandLine { program, arguments })
}

fn refuse_more(what: &str, mut arguments: impl Iterator<Item = OsString>) -> Result<(), Refusal> {
    match arguments.next() {
        None => Ok(()),
        Some(more) => Err(usage(format!(
            "`{what}` takes no argument: `{}`; hint: to run a program of that name: `agent-entrypoint -- {what} …`",
            more.display()
        ))),
    }
}

/// The workspace folder; `/` is refused because its owner may be put right.
fn workspace(value: Option<OsString>) -> Result<PathBuf, Refusal> {
    let path = value
        .filter(|value| !value.is_empty())
        .map_or_else(|| PathBuf::from(DEFAULT_WORKSPACE), PathBuf::from);
    let climbs = path.components().any(|part| part == Component::ParentDir);
    if path.is_absolute() && path.components().nth(1).is_some() && !climbs {
        return Ok(path);
    }
    Err(bad_value(
        WORKSPACE,
        path.as_os_str(),
        "set it to an absolute path below `/`, without `..`",
    ))
}

fn switch(name: &str, value: Option<OsString>) -> Result<bool, Refusal> {
    let value = value.unwrap_or_default();
    match value.to_str() {
        Some("" | "0") => Ok(false),
        Some("1") => Ok(true),
        _ => Err(bad_value(name, &value, "set it to `1` or `0`")),
    }
}

fn probe_seconds(value: Option<OsString>) -> Result<u64, Refusal> {
    let value = value.unwrap_or_default();
    if value.is_empty() {
        return Ok(DEFAULT_PROBE_SECONDS);
    }
    value
        .to_str()
        .and_then(|text| text.parse().ok())
        .filter(|seconds| (1..=3600).contains(seconds))
        .ok_or_else(|| bad_value(PROBE_SECONDS, &value, "set it to whole seconds, 1 to 3600"))
}

fn bad_value(name: &str, value: &OsStr, hint: &str) -> Refusal {
    let value = Path::new(value).display();
    usage(format!("bad value of `{name}`: `{value}`; hint: {hint}"))
}

fn usage(text: String) -> Refusal {
    let code = exit::USAGE;
    Refusal { code, text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str], env: &[(&str, &str)]) -> Result<Config, Refusal> {
        let lookup = |name: &str| {
            env.iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        };
        Config::parse(words.iter().map(OsString::from), lookup)
    }

    fn runs(words: &[&str]) -> Config {
        let command = command_line(words.iter().map(OsString::from));
        let workspace = PathBuf::from("/workspace");
        let verbose = false;
        Config::Run(Run {
            command,
            workspace,
            verbose,
        })
    }

    #[test]
    fn the_first_argument_decides() {
        let health = || {
            Config::Health(Probes {
                workspace: PathBuf::from("/workspace"),
                limit: Duration::from_secs(8),
            })
        };
        let help = || Config::Print(help::TEXT.to_owned());
        let version = || Config::Print(help::VERSION.to_owned());
        for (words, expected) in [
            (&[][..], runs(&[])),
            (&["--"], runs(&[])),
            (&["sleep", "infinity"], runs(&["sleep", "infinity"])),
            (&["--", "sleep", "1"], runs(&["sleep", "1"])),
            (&["--", "health", "x"], runs(&["health", "x"])),
            (&["--", "--", "x"], runs(&["--", "x"])),
            (&["git", "--version"], runs(&["git", "--version"])),
            (&["git", "--", "x"], runs(&["git", "--", "x"])),
            (&[""], runs(&[""])),
            (&["health"], health()),
            (&["--help"], help()),
            (&["-h", "x"], help()),
            (&["--version"], version()),
            (&["-V"], version()),
        ] {
            assert_eq!(parse(words, &[]), Ok(expected), "{words:?}");
        }
    }

    #[test]
    fn variables_change_the_settings() {
        let env = [("WORKSPACE", "/repo"), (VERBOSE, "1"), (PROBE_SECONDS, "3")];
        assert_eq!(
            parse(&[], &env),
            Ok(Config::Run(Run {
                command: None,
                workspace: PathBuf::from("/repo"),
                verbose: true,
            }))
        );
        assert_eq!(
            parse(&["health"], &env),
            Ok(Config::Health(Probes {
                workspace: PathBuf::from("/repo"),
                limit: Duration::from_secs(3),
            }))
        );
        let empty = [("WORKSPACE", ""), (VERBOSE, ""), (PROBE_SECONDS, "")];
        assert_eq!(parse(&[], &empty), Ok(runs(&[])));
        assert_eq!(parse(&["health"], &empty), parse(&["health"], &[]));
    }

    #[test]
    fn wrong_usage_names_the_cure() {
        for (words, env, text) in [
            (
                &["--foo"][..],
                &[][..],
                "unknown option: `--foo`; hint: `agent-entrypoint --help` lists them, and `--` goes before a command that starts with a dash",
            ),
            (
                &["health", "now"],
                &[],
                "`health` takes no argument: `now`; hint: to run a program of that name: `agent-entrypoint -- health …`",
            ),
            (
                &["true"],
                &[("WORKSPACE", "work")],
                "bad value of `WORKSPACE`: `work`; hint: set it to an absolute path below `/`, without `..`",
            ),
            (
                &["true"],
                &[("WORKSPACE", "/")],
                "bad value of `WORKSPACE`: `/`; hint: set it to an absolute path below `/`, without `..`",
            ),
            (
                &["true"],
                &[("WORKSPACE", "/srv/..")],
                "bad value of `WORKSPACE`: `/srv/..`; hint: set it to an absolute path below `/`, without `..`",
            ),
            (
                &["true"],
                &[(VERBOSE, "yes")],
                "bad value of `AGENT_ENTRYPOINT_VERBOSE`: `yes`; hint: set it to `1` or `0`",
            ),
            (
                &["health"],
                &[(PROBE_SECONDS, "0")],
                "bad value of `AGENT_ENTRYPOINT_PROBE_SECONDS`: `0`; hint: set it to whole seconds, 1 to 3600",
            ),
        ] {
            let text = text.to_owned();
            let code = exit::USAGE;
            assert_eq!(parse(words, env), Err(Refusal { code, text }), "{words:?}");
        }
    }
}
