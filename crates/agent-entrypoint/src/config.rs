//! Parses arguments and environment into a [`Config`], and reads nothing else.

use core::ffi::CStr;

use crate::env::{Env, setting};
use crate::exit::Refusal;
use crate::headless::Headless;
use crate::help;
use crate::keep_alive;
use crate::sys::{Word, Words};
use crate::text::number;

pub const WORKSPACE: &str = "WORKSPACE";
pub const QUIET: &str = "AGENT_ENTRYPOINT_QUIET";
pub const SIGNALS: &str = "AGENT_ENTRYPOINT_SIGNALS";
pub const GRACE_SECONDS: &str = "AGENT_ENTRYPOINT_GRACE_SECONDS";
pub const CHOWN: &str = "AGENT_ENTRYPOINT_CHOWN";
pub const UMASK: &str = "AGENT_ENTRYPOINT_UMASK";
pub const PROBE_SECONDS: &str = "AGENT_ENTRYPOINT_PROBE_SECONDS";

/// From SIGTERM to SIGKILL. What follows still fits into the five seconds of `docker stop`.
const DEFAULT_GRACE_SECONDS: u32 = 4;
/// Below the `--timeout` of the image's HEALTHCHECK, so that the report names what hangs.
const DEFAULT_PROBE_SECONDS: u32 = 8;

#[derive(Debug, PartialEq, Eq)]
pub enum Config<'a> {
    Run(Run<'a>),
    Headless(Headless<'a>, Run<'a>),
    Health(Probes<'a>),
    /// Print this to stdout, nothing else.
    Print(&'static str),
}

/// Command mode, or keep-alive mode when there is no command.
#[derive(Debug, PartialEq, Eq)]
pub struct Run<'a> {
    /// The program and its arguments; `None` in keep-alive mode.
    pub command: Option<&'a Words<'a>>,
    pub workspace: &'a CStr,
    /// Leave out the notes; warnings and errors stay.
    pub quiet: bool,
    /// Signals go to the command's whole process group.
    pub to_group: bool,
    pub grace_seconds: u32,
    /// Root changes the owner of everything in the workspace, not only of its top level.
    pub chown_all: bool,
    pub umask: Option<u32>,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Probes<'a> {
    pub workspace: &'a CStr,
    /// How long each probe may take; they run at the same time.
    pub seconds: u32,
    pub json: bool,
    pub deep: bool,
}

impl<'a> Config<'a> {
    /// Decides by the first argument that is not an option; `arguments` begin with the program's name.
    pub fn parse(arguments: &'a Words<'a>, env: Env<'a>) -> Result<Self, Refusal<'a>> {
        let mut arguments = tail(arguments);
        let mut to_group = to_group(env)?;
        while let Some(first) = first(arguments) {
            let rest = tail(arguments);
            match first.to_bytes() {
                b"--group" => to_group = true,
                b"--child" => to_group = false,
                b"--" => return Ok(Self::Run(run(command(rest), to_group, env)?)),
                b"health" => return health(rest, env),
                b"headless" => {
                    let run = run(None, to_group, env)?;
                    return Ok(Self::Headless(Headless::parse(rest, env)?, run));
                }
                b"--help" | b"-h" => return Ok(Self::Print(help::TEXT)),
                b"--version" | b"-V" => return Ok(Self::Print(help::VERSION)),
                [b'-', ..] => return Err(Refusal::UnknownOption(first)),
                _ => break,
            }
            arguments = rest;
        }
        Ok(Self::Run(run(command(arguments), to_group, env)?))
    }
}

fn run<'a>(
    command: Option<&'a Words<'a>>,
    to_group: bool,
    env: Env<'a>,
) -> Result<Run<'a>, Refusal<'a>> {
    Ok(Run {
        command,
        workspace: workspace(env)?,
        quiet: setting(env, QUIET, false, "`0` or `1`", |value| {
            either(value, c"0", c"1")
        })?,
        to_group,
        grace_seconds: seconds(env, GRACE_SECONDS, DEFAULT_GRACE_SECONDS)?,
        chown_all: setting(env, CHOWN, false, "`top` or `all`", |value| {
            either(value, c"top", c"all")
        })?,
        umask: setting(env, UMASK, None, "an octal number, 0 to 0777", |value| {
            let mask = number(value.to_bytes(), 8)?;
            (mask <= 0o777).then_some(Some(mask))
        })?,
    })
}

fn health<'a>(mut arguments: &'a Words<'a>, env: Env<'a>) -> Result<Config<'a>, Refusal<'a>> {
    let mut probes = Probes {
        workspace: workspace(env)?,
        seconds: seconds(env, PROBE_SECONDS, DEFAULT_PROBE_SECONDS)?,
        json: false,
        deep: false,
    };
    while let Some(argument) = first(arguments) {
        match argument.to_bytes() {
            b"--json" => probes.json = true,
            b"--deep" => probes.deep = true,
            _ => return Err(Refusal::UnknownHealthArgument(argument)),
        }
        arguments = tail(arguments);
    }
    Ok(Config::Health(probes))
}

fn first<'a>(words: &Words<'a>) -> Option<&'a CStr> {
    words.first().copied().flatten().map(Word::as_c_str)
}

fn tail<'b, 'a>(words: &'b Words<'a>) -> &'b Words<'a> {
    words.get(1..).unwrap_or_default()
}

/// The words as a command; `None` without words, or if the command only waits.
fn command<'a>(words: &'a Words<'a>) -> Option<&'a Words<'a>> {
    let has_words = first(words).is_some();
    (has_words && !keep_alive::is_asked(words)).then_some(words)
}

fn either(value: &CStr, no: &CStr, yes: &CStr) -> Option<bool> {
    (value == no || value == yes).then_some(value == yes)
}

/// The workspace folder; `/` is refused because root may change its owner.
fn workspace(env: Env<'_>) -> Result<&CStr, Refusal<'_>> {
    let hint = "an absolute path below `/`, without `..`";
    setting(env, WORKSPACE, c"/workspace", hint, |path| {
        let mut parts = path.to_bytes().split(|byte| *byte == b'/');
        let is_absolute = parts.next() == Some(b"");
        let mut parts = parts.filter(|part| !part.is_empty() && *part != b".");
        let is_below_root = parts.clone().next().is_some();
        (is_absolute && is_below_root && parts.all(|part| part != b"..")).then_some(path)
    })
}

/// The default is the group, as for a terminal's Ctrl-C: a shell forwards no signal, and an agent's
/// command starts other programs.
fn to_group(env: Env<'_>) -> Result<bool, Refusal<'_>> {
    setting(env, SIGNALS, true, "`group` or `child`", |value| {
        either(value, c"child", c"group")
    })
}

fn seconds<'a>(env: Env<'a>, name: &'static str, default: u32) -> Result<u32, Refusal<'a>> {
    setting(env, name, default, "whole seconds, 1 to 3600", |value| {
        number(value.to_bytes(), 10).filter(|seconds| (1..=3600).contains(seconds))
    })
}

#[cfg(test)]
mod tests;
