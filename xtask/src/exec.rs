//! The one place that starts programs: it echoes them when asked, keeps their stderr for the
//! error, and passes signals on to those that are running.

mod bounded;
mod cleanup;
pub(crate) mod dialled;
mod ended;
mod running;
mod terminal;
pub(crate) mod tied;

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};

use anyhow::{Context as _, bail, ensure};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use xshell::{Cmd, Shell};

pub use self::ended::Ended;
pub(crate) use self::ended::KEPT;
use self::running::Running;
pub(crate) use self::running::{check, forward_signals, report_signals, sleep};
use crate::stop::Stop;

/// Starts programs in the workspace's root. A thread that starts programs has its own clone.
#[derive(Clone)]
pub struct Exec {
    sh: Shell,
    verbose: bool,
}

impl Exec {
    pub fn new(root: &Path, verbose: bool) -> anyhow::Result<Exec> {
        let sh = Shell::new().context("failed to start a shell session")?;
        sh.change_dir(root);
        Ok(Exec { sh, verbose })
    }

    /// Sets an environment variable for every program started from here on.
    pub fn set_var(&self, name: &str, value: &str) {
        self.sh.set_var(name, value);
    }

    pub fn var(&self, name: &str) -> Option<String> {
        self.sh.var(name).ok().filter(|value| !value.is_empty())
    }

    /// Where `program` is on the PATH that programs are started with.
    pub(crate) fn find(&self, program: &str) -> Option<PathBuf> {
        let path = self.sh.var_os("PATH");
        which::which_in(program, path, self.sh.current_dir()).ok()
    }

    /// The caller's `SOURCE_DATE_EPOCH` stays here: buildx would make a build argument of it, and
    /// an image's time comes from its commit. So does what cargo says of xtask's own package: build
    /// scripts read it (ring's does), and a cargo that we start would compile them anew.
    fn cmd<'a>(&'a self, program: &str, args: &[impl AsRef<str>]) -> Cmd<'a> {
        let cmd = self.sh.cmd(program).args(args.iter().map(AsRef::as_ref));
        let names = env::vars_os().filter_map(|(name, _)| name.into_string().ok());
        names
            .filter(|name| is_of_package(name))
            .chain(["SOURCE_DATE_EPOCH".to_owned()])
            .fold(cmd, Cmd::env_remove)
    }

    /// Runs a program to its end and returns its status, stdout and stderr, whatever they are.
    ///
    /// Fails only when it cannot be started.
    pub(crate) fn output(&self, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<Output> {
        self.output_without(&[], program, args)
    }

    /// [`Exec::output`] of a program that does not get these environment variables.
    pub(crate) fn output_without(
        &self,
        variables: &[&str],
        program: &str,
        args: &[impl AsRef<str>],
    ) -> anyhow::Result<Output> {
        let line = quoted(program, args);
        self.echo(&line);
        let cmd = self.cmd(program, args).quiet().ignore_status();
        let cmd = variables.iter().fold(cmd, Cmd::env_remove);
        cmd.output()
            .with_context(|| format!("failed to run `{line}`"))
    }

    /// Runs a program and returns its stdout; its stderr becomes the error's text.
    pub(crate) fn read(&self, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<String> {
        printed(self.output(program, args)?, &quoted(program, args))
    }

    /// Runs a long program whose progress the user watches: its stdout and stderr both go to
    /// our stderr, and a signal that we get is passed on and waited out.
    pub(crate) fn watch(&self, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
        let status = self.watch_status(program, args)?;
        succeeded(status, program, args)
    }

    /// [`Exec::watch`] for a program whose exit status has a meaning.
    ///
    /// After an interruption nothing more is started: whoever asked for the end gets it.
    pub(crate) fn watch_status(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
    ) -> anyhow::Result<ExitStatus> {
        self.attend(
            Command::from(self.cmd(program, args)),
            &quoted(program, args),
        )
    }

    /// Runs `command`, which the user sees as `line`, to its end.
    fn attend(&self, mut command: Command, line: &str) -> anyhow::Result<ExitStatus> {
        check()?;
        self.echo(line);
        command.stdin(Stdio::null()).stdout(io::stderr());
        let status = Running::foreground(&mut command)
            .and_then(Running::wait)
            .with_context(|| format!("failed to run `{line}`"))?;
        ended(status).map_err(Into::into)
    }

    /// Runs a program that puts things away: even after an interruption, and out of the
    /// terminal's reach, so that a second Ctrl-C does not end it half-way.
    pub(crate) fn clean_up(&self, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
        let line = quoted(program, args);
        self.echo(&line);
        let mut command = Command::from(self.cmd(program, args));
        command
            .stdin(Stdio::null())
            .stdout(io::stderr())
            .process_group(0);
        let status = command
            .status()
            .with_context(|| format!("failed to run `{line}`"))?;
        succeeded(status, program, args)
    }

    /// [`Exec::read`] for a program that gets `input` on its stdin.
    pub(crate) fn read_given(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
        input: &[u8],
    ) -> anyhow::Result<String> {
        let line = quoted(program, args);
        self.echo(&line);
        let cmd = self.cmd(program, args).stdin(input).quiet();
        let output = cmd.ignore_status().output();
        let output = output.with_context(|| format!("failed to run `{line}`"))?;
        printed(output, &line)
    }

    /// Becomes the program, in the caller's folder: its terminal, its output and its exit code
    /// are ours. Returns only when it cannot be started.
    pub(crate) fn become_program(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
    ) -> anyhow::Result<()> {
        let line = quoted(program, args);
        self.echo(&line);
        let mut command = Command::from(self.cmd(program, args));
        let error = command.current_dir(".").exec();
        Err(error).with_context(|| format!("failed to run `{line}`"))
    }

    /// Shows a command line when commands are to be shown.
    pub(crate) fn echo(&self, line: &str) {
        if self.verbose {
            crate::say::errln!("$ {line}");
        }
    }
}

/// Arguments that were given to us, for a program that gets them on.
pub(crate) fn utf8(args: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, Stop> {
    let utf8 = |arg: OsString| {
        let text = arg.into_string();
        text.map_err(|arg| Stop::Usage(format!("`{}` is not UTF-8", arg.display())))
    };
    args.into_iter().map(utf8).collect()
}

/// Whether cargo sets a variable of this name to say something of the package that it runs.
pub fn is_of_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

/// A command line that can be pasted into a shell.
pub fn quoted(program: &str, args: &[impl AsRef<str>]) -> String {
    shell_words::join(std::iter::once(program).chain(args.iter().map(AsRef::as_ref)))
}

/// The program and its subcommands, without the flags that make a line long.
fn short(program: &str, args: &[impl AsRef<str>]) -> String {
    let words = args
        .iter()
        .map(AsRef::as_ref)
        .take_while(|arg| !arg.starts_with('-'));
    shell_words::join(std::iter::once(program).chain(words))
}

/// What a program printed on stdout; its stderr is the error's text.
fn printed(output: Output, line: &str) -> anyhow::Result<String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{line}` failed ({}): {}", output.status, said.trim());
    }
    String::from_utf8(output.stdout)
        .with_context(|| format!("`{line}` printed text that is not UTF-8"))
}

/// Fails unless a program whose output was shown ended well.
fn succeeded(status: ExitStatus, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
    let line = short(program, args);
    ensure!(
        status.success(),
        "`{line}` failed ({status}); its output is above"
    );
    Ok(())
}

/// The status of a program that was watched; an interruption is an error.
fn ended(status: ExitStatus) -> Result<ExitStatus, Stop> {
    // The terminal signals the program as well: its end may come before our own signal does.
    let ours = running::signalled().filter(|_| !status.success());
    match ours.or_else(|| interruption(status)) {
        Some(signal) => Err(Stop::Interrupted(signal)),
        None => Ok(status),
    }
}

/// The signal that ended a program, whether it died of it or says so by its exit code.
fn interruption(status: ExitStatus) -> Option<i32> {
    let signal = status.signal().or_else(|| Some(status.code()? - 128))?;
    [SIGINT, SIGTERM, SIGHUP]
        .contains(&signal)
        .then_some(signal)
}
