//! Programs that are given a time limit: whatever they do, the run goes on.

use std::io::{self, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal};

use super::ended::{Ended, KEPT};
use super::running::{self, Running};
use super::{Exec, ended, quoted};

impl Exec {
    /// Runs a program to its end, or kills it (and its process group) at the limit.
    ///
    /// Fails when it cannot be started, and after a signal of ours, which kills it as well.
    pub fn within(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
        limit: Duration,
    ) -> anyhow::Result<Ended> {
        self.limited(program, args, None, limit)
    }

    /// [`Exec::within`] for a program that gets `input` on its stdin: at most what a pipe holds,
    /// 4 KiB, since it is written before the program is waited for.
    pub(crate) fn within_given(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
        input: &[u8],
        limit: Duration,
    ) -> anyhow::Result<Ended> {
        self.limited(program, args, Some(input), limit)
    }

    fn limited(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
        input: Option<&[u8]>,
        limit: Duration,
    ) -> anyhow::Result<Ended> {
        running::check()?;
        let line = quoted(program, args);
        self.echo(&line);
        let mut command = self.piped(program, args);
        if input.is_some() {
            command.stdin(Stdio::piped());
        }
        let give = |mut running: Running| {
            if let (Some(mut stdin), Some(input)) = (running.0.stdin.take(), input) {
                // A program may end without reading it: how it ended says more.
                let _ = stdin.write_all(input);
            }
            running
        };
        let ended = Running::expendable(&mut command)
            .map(give)
            .and_then(|running| bounded(running, limit))
            .with_context(|| format!("failed to run `{line}`"))?;
        running::check()?;
        Ok(ended)
    }

    /// Runs a program whose stdout is read as it comes; its stderr becomes the error's text.
    ///
    /// Fails as `read` does, when the program fails or is killed at the limit, and after a signal
    /// of ours, which kills it.
    pub(crate) fn stream<T>(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
        limit: Duration,
        read: impl FnOnce(&mut dyn Read) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        running::check()?;
        let line = quoted(program, args);
        self.echo(&line);
        let failed = || format!("failed to run `{line}`");
        let mut piped = self.piped(program, args);
        let mut running = Running::expendable(&mut piped).with_context(failed)?;
        let (stdout, stderr) = (running.0.stdout.take(), running.0.stderr.take());
        let (late, (result, said, status)) = until_limit(running.pid(), limit, || {
            let (result, said) = thread::scope(|scope| {
                let said = scope.spawn(|| keep(stderr));
                // Dropped at the end: a program that is not read to its end ends all the same.
                let result = stdout
                    .context("no stdout")
                    .and_then(|mut out| read(&mut out));
                (result, said.join().unwrap_or_default())
            });
            (result, said, running.wait())
        });
        let status = status.with_context(failed)?;
        running::check()?;
        if late {
            anyhow::bail!("`{line}` did not end within {} s", limit.as_secs());
        }
        if !status.success() {
            let said = String::from_utf8_lossy(&said);
            // What the program says is why there was nothing to read.
            anyhow::bail!("`{line}` failed ({status}): {}", said.trim());
        }
        result
    }

    /// Runs a program whose progress the user watches, as [`Exec::watch_status`] does, and whose stdout is
    /// kept: 16 MiB of it.
    pub(crate) fn watch_read(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
    ) -> anyhow::Result<(ExitStatus, Vec<u8>)> {
        running::check()?;
        let line = quoted(program, args);
        self.echo(&line);
        let mut command = Command::from(self.cmd(program, args));
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let failed = || format!("failed to run `{line}`");
        let mut running = Running::foreground(&mut command).with_context(failed)?;
        let printed = keep(running.0.stdout.take());
        let status = running.wait().with_context(failed)?;
        Ok((ended(status)?, printed))
    }

    /// [`Exec::watch`] for a program whose stderr quotes strangers, as `docker pull` quotes a registry: on
    /// success it is printed as any other text from outside, else it becomes the error's text.
    pub(crate) fn watch_stdout(
        &self,
        program: &str,
        args: &[impl AsRef<str>],
    ) -> anyhow::Result<()> {
        running::check()?;
        let line = quoted(program, args);
        self.echo(&line);
        let mut command = Command::from(self.cmd(program, args));
        command.stdin(Stdio::null()).stdout(io::stderr());
        command.stderr(Stdio::piped());
        let failed = || format!("failed to run `{line}`");
        let mut running = Running::foreground(&mut command).with_context(failed)?;
        let said = keep(running.0.stderr.take());
        let status = ended(running.wait().with_context(failed)?)?;
        let said = String::from_utf8_lossy(&said);
        if !status.success() {
            anyhow::bail!("`{line}` failed ({status}): {}", said.trim());
        }
        for one in said.lines() {
            crate::say::errln!("{one}");
        }
        Ok(())
    }

    /// A command that leads a process group of its own, and whose output comes to us.
    fn piped(&self, program: &str, args: &[impl AsRef<str>]) -> Command {
        let mut command = Command::from(self.cmd(program, args));
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }
}

/// Waits for the end, at most until the limit.
pub(super) fn bounded(mut running: Running, limit: Duration) -> io::Result<Ended> {
    let (stdout, stderr) = (running.0.stdout.take(), running.0.stderr.take());
    let (late, (stdout, stderr, status)) = until_limit(running.pid(), limit, || {
        let (stdout, stderr) = thread::scope(|scope| {
            let said = scope.spawn(|| keep(stderr));
            (keep(stdout), said.join().unwrap_or_default())
        });
        (stdout, stderr, running.wait())
    });
    Ok(Ended {
        status: Some(status?).filter(|_| !late),
        stdout,
        stderr,
    })
}

/// Does `work`, which ends when the program does, and kills the program at the limit; whether it
/// had to.
fn until_limit<T>(pid: Pid, limit: Duration, work: impl FnOnce() -> T) -> (bool, T) {
    let kill = move |goes_on: &dyn Fn(Duration) -> bool| {
        let late = goes_on(limit);
        if late {
            running::end(pid, Signal::KILL);
        }
        late
    };
    running::beside(kill, work)
}

/// Reads to the end. A stream that breaks ends there: how the program ended says more.
fn keep(stream: Option<impl Read>) -> Vec<u8> {
    let mut kept = Vec::new();
    if let Some(mut stream) = stream {
        let _ = stream.by_ref().take(KEPT as u64).read_to_end(&mut kept);
        let _ = io::copy(&mut stream, &mut io::sink());
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn exec() -> Exec {
        Exec::new(&std::env::temp_dir(), false).unwrap()
    }

    const AGES: Duration = Duration::from_mins(10);

    #[test]
    fn what_a_program_says_and_how_it_ends_is_kept() {
        let ended = exec().within("sh", &["-c", "echo out; echo err >&2; exit 3"], AGES);
        let ended = ended.unwrap();
        assert_eq!(ended.status.unwrap().code(), Some(3));
        assert_eq!(
            (&ended.stdout[..], &ended.stderr[..]),
            (&b"out\n"[..], &b"err\n"[..])
        );
    }

    #[test]
    fn what_a_program_says_of_its_failure_is_the_errors_text() {
        let script = "echo '::add-mask::x' >&2; exit 1";
        let error = exec().watch_stdout("sh", &["-c", script]).unwrap_err();
        let error = error.to_string();
        assert!(
            error.ends_with("(exit status: 1): ::add-mask::x"),
            "{error}"
        );
        exec().watch_stdout("true", &[] as &[&str]).unwrap();
    }

    #[test]
    fn input_is_given_and_ends() {
        let ended = exec().within_given("cat", &[] as &[&str], b"a name", AGES);
        assert_eq!(ended.unwrap().stdout, b"a name");
        let unread = exec().within_given("true", &[] as &[&str], b"a name", AGES);
        assert!(unread.unwrap().success());
    }

    #[test]
    fn at_its_limit_a_program_is_killed_with_its_children() {
        let start = Instant::now();
        let script = "echo started; trap '' TERM INT; sleep 600 & wait";
        let ended = exec().within("sh", &["-c", script], Duration::from_millis(300));
        let ended = ended.unwrap();
        assert!(ended.status.is_none());
        assert_eq!(ended.stdout, b"started\n");
        // The child holds the pipes: had it lived on, this had taken its ten minutes.
        assert!(start.elapsed() < AGES);
    }

    #[test]
    fn a_flood_is_read_but_not_kept() {
        let script = "head -c 40000000 /dev/zero; echo end >&2";
        let ended = exec().within("sh", &["-c", script], AGES).unwrap();
        assert_eq!(ended.stdout.len(), KEPT);
        assert_eq!(ended.stderr, b"end\n");
    }

    #[test]
    fn a_stream_is_read_as_it_comes() {
        let first = |stream: &mut dyn Read| {
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        let read = exec()
            .stream("sh", &["-c", "echo abc"], AGES, first)
            .unwrap();
        assert_eq!(&read, b"abc\n");
        let error = exec().stream("sh", &["-c", "echo no such image >&2; exit 1"], AGES, first);
        let error = format!("{:#}", error.unwrap_err());
        assert!(
            error.ends_with("failed (exit status: 1): no such image"),
            "{error}"
        );
        let soon = Duration::from_millis(300);
        let error = exec().stream("sh", &["-c", "exec sleep 600"], soon, first);
        let error = format!("{:#}", error.unwrap_err());
        assert!(error.ends_with("did not end within 0 s"), "{error}");
    }
}
