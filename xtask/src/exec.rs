//! The one place that starts programs: it echoes them when asked, keeps their stderr for the
//! error, and passes signals on to the one that is running.

use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use xshell::{Cmd, Shell};

use crate::stop::Stop;

/// Starts programs in the workspace's root.
pub(crate) struct Exec {
    sh: Shell,
    verbose: bool,
}

impl Exec {
    pub(crate) fn new(root: &Path, verbose: bool) -> anyhow::Result<Exec> {
        let sh = Shell::new().context("failed to start a shell session")?;
        sh.change_dir(root);
        Ok(Exec { sh, verbose })
    }

    /// Sets an environment variable for every program started from here on.
    pub(crate) fn set_var(&self, name: &str, value: &str) {
        self.sh.set_var(name, value);
    }

    pub(crate) fn var(&self, name: &str) -> Option<String> {
        self.sh.var(name).ok().filter(|value| !value.is_empty())
    }

    /// Where `program` is on the PATH that programs are started with.
    pub(crate) fn find(&self, program: &str) -> Option<PathBuf> {
        let path = self.sh.var_os("PATH");
        which::which_in(program, path, self.sh.current_dir()).ok()
    }

    fn cmd<'a>(&'a self, program: &str, args: &[impl AsRef<str>]) -> Cmd<'a> {
        self.sh.cmd(program).args(args.iter().map(AsRef::as_ref))
    }

    /// Runs a program to its end and returns its status, stdout and stderr, whatever they are.
    ///
    /// Fails only when it cannot be started.
    pub(crate) fn output(&self, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<Output> {
        let line = quoted(program, args);
        self.echo(&line);
        let cmd = self.cmd(program, args).quiet().ignore_status();
        cmd.output()
            .with_context(|| format!("failed to run `{line}`"))
    }

    /// Runs a program and returns its stdout; its stderr becomes the error's text.
    pub(crate) fn read(&self, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<String> {
        let output = self.output(program, args)?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!(
                "`{}` failed ({}): {}",
                quoted(program, args),
                output.status,
                said.trim()
            );
        }
        String::from_utf8(output.stdout)
            .with_context(|| format!("`{}` printed text that is not UTF-8", quoted(program, args)))
    }

    /// Runs a long program whose progress the user watches: its stdout and stderr both go to
    /// our stderr, and a signal that we get is passed on and waited out.
    pub(crate) fn watch(&self, program: &str, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
        let status = self.watch_status(program, args)?;
        if !status.success() {
            bail!(
                "`{}` failed ({status}); its output is above",
                short(program, args)
            );
        }
        Ok(())
    }

    /// [`Exec::watch`] for a program whose exit status has a meaning.
    pub(crate) fn watch_status(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
    ) -> anyhow::Result<ExitStatus> {
        let line = quoted(program, args);
        self.echo(&line);
        let mut command = Command::from(self.cmd(program, args));
        command.stdin(Stdio::null()).stdout(io::stderr());
        let status = Foreground::start(&mut command)
            .and_then(Foreground::wait)
            .with_context(|| format!("failed to run `{line}`"))?;
        match *lock(&SIGNALLED) {
            Some(signal) => Err(Stop::Interrupted(signal).into()),
            None => Ok(status),
        }
    }

    /// Becomes the program: its terminal, its output and its exit code are ours. Returns only
    /// when it cannot be started.
    pub(crate) fn become_program(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
    ) -> anyhow::Result<()> {
        let line = quoted(program, args);
        self.echo(&line);
        let error = Command::from(self.cmd(program, args)).exec();
        Err(error).with_context(|| format!("failed to run `{line}`"))
    }

    fn echo(&self, line: &str) {
        if self.verbose {
            anstream::eprintln!("$ {line}");
        }
    }
}

/// A command line that can be pasted into a shell.
pub(crate) fn quoted(program: &str, args: &[impl AsRef<str>]) -> String {
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

/// The program that gets the signals which we get.
static FOREGROUND: Mutex<Option<Pid>> = Mutex::new(None);
/// The last signal that was passed on.
static SIGNALLED: Mutex<Option<i32>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// From now on SIGINT, SIGTERM and SIGHUP go to the program being watched, whose end we then
/// report; with none running they end us as they would by default.
pub(crate) fn forward_signals() -> anyhow::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP]).context("failed to catch signals")?;
    thread::spawn(move || {
        for signal in signals.forever() {
            let foreground = lock(&FOREGROUND);
            if let (Some(pid), Some(named)) = (*foreground, Signal::from_named_raw(signal)) {
                *lock(&SIGNALLED) = Some(signal);
                // The program may have ended just now: then there is nobody to tell.
                let _ = kill_process(pid, named);
            } else {
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    });
    Ok(())
}

/// A running program that is registered for our signals.
struct Foreground(Child);

impl Foreground {
    /// Starts `command` while signals wait, so that none falls between start and registration.
    fn start(command: &mut Command) -> io::Result<Foreground> {
        let mut foreground = lock(&FOREGROUND);
        let child = command.spawn()?;
        *foreground = Some(Pid::from_child(&child));
        Ok(Foreground(child))
    }

    fn wait(mut self) -> io::Result<ExitStatus> {
        let status = self.0.wait();
        *lock(&FOREGROUND) = None;
        status
    }
}
