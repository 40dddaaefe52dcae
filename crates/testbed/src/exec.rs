//! The only place that starts programs: what they say on stderr is kept for the error, which quotes the command.

use std::{
    ffi::{OsStr, OsString},
    fmt,
    fs::File,
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
};

use anyhow::{Context as _, Result, bail};

/// Whether every command is echoed to stderr before it runs.
static VERBOSE: AtomicBool = AtomicBool::new(false);

/// How many of a failed command's last lines go into its error.
const TAIL_LINES: usize = 20;

/// A script that closes every inherited file but stdin, stdout and stderr, and becomes the program that its arguments
/// name. Of the shells, bash alone closes those above 9.
const CLOSE_AND_RUN: &str = r#"for file in /proc/self/fd/*; do
    file=${file##*/}
    ((file < 3)) || exec {file}>&-
done
exec "$@""#;

/// Turns the echo of every command on or off.
pub(crate) fn set_verbose(on: bool) {
    VERBOSE.store(on, Ordering::Relaxed);
}

/// A command line to be run, with nothing on its stdin.
#[derive(Debug)]
pub(crate) struct Cmd {
    inner: Command,
}

impl Cmd {
    /// A command that runs `program`, looked up in PATH when it holds no slash.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "this is the crate's one place that starts programs"
        )]
        let mut inner = Command::new(program);
        inner.stdin(Stdio::null()).env("PATH", path());
        Self { inner }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.inner.arg(arg);
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.inner.args(args);
        self
    }

    pub(crate) fn env(mut self, key: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(key, value);
        self
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.inner.current_dir(dir);
        self
    }

    /// Runs to the end; what it prints is shown only when it fails.
    pub(crate) fn run(self) -> Result<()> {
        self.read().map(drop)
    }

    /// Runs to the end and returns its stdout without the last line break.
    pub(crate) fn read(self) -> Result<String> {
        let shown = self.to_string();
        let output = self.output()?;
        if !output.status.success() {
            bail!(
                "command `{shown}` failed ({}){}",
                output.status,
                said(&output)
            );
        }
        let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.truncate(text.trim_end().len());
        Ok(text)
    }

    /// Whether it can be started and exits with 0.
    pub(crate) fn succeeds(self) -> bool {
        self.output().is_ok_and(|output| output.status.success())
    }

    /// Replaces this process with the program; returns only when that fails, with the reason.
    pub(crate) fn replace(mut self) -> anyhow::Error {
        let error = self.inner.exec();
        anyhow::Error::new(error).context(format!("failed to start `{self}`"))
    }

    /// Starts it in a session of its own, so that neither Ctrl-C nor a closing terminal reaches it. What it prints
    /// is appended to `log`. It has no other open file of the caller's: a lock that the caller was given ends with
    /// the caller. It runs on when the caller drops the child.
    pub(crate) fn daemon(self, log: &Path) -> Result<Child> {
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("failed to open the log `{}`", log.display()))?;
        let err = file
            .try_clone()
            .with_context(|| format!("failed to share the log `{}`", log.display()))?;
        // Each replaces itself with the next, so the child's pid is the program's.
        let mut child = Self::new("setsid")
            .args(["bash", "-p", "-c", CLOSE_AND_RUN, "bash"])
            .arg(self.inner.get_program())
            .args(self.inner.get_args());
        for (key, value) in self.inner.get_envs() {
            if let Some(value) = value {
                child.inner.env(key, value);
            }
        }
        child.echo();
        // It must not keep the file system busy from which it is started.
        child
            .inner
            .current_dir("/")
            .stdout(file)
            .stderr(err)
            .spawn()
            .with_context(|| format!("failed to start `{self}`"))
    }

    fn output(mut self) -> Result<Output> {
        self.echo();
        // `output` pipes what was not redirected.
        self.inner
            .output()
            .with_context(|| format!("failed to start `{self}`"))
    }

    fn echo(&self) {
        if VERBOSE.load(Ordering::Relaxed) {
            eprintln!("$ {self}");
        }
    }
}

/// The command line as a shell would take it.
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shell_quote(&self.inner.get_program().to_string_lossy()))?;
        self.inner
            .get_args()
            .try_for_each(|arg| write!(f, " {}", shell_quote(&arg.to_string_lossy())))
    }
}

/// The last lines that a failed command printed on stderr, or on stdout when stderr is empty.
fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let stdout = String::from_utf8_lossy(&output.stdout);
    let text = if stderr.trim().is_empty() {
        stdout.trim_end()
    } else {
        stderr.trim_end()
    };
    if text.is_empty() {
        String::new()
    } else {
        format!(":\n{}", tail(text, TAIL_LINES))
    }
}

/// The last `count` lines of `text`.
pub(crate) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// `word` as a POSIX shell reads it back: unchanged when nothing in it is special, else in single quotes.
pub(crate) fn shell_quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        single_quote(word)
    }
}

/// `word` in single quotes, whatever it holds.
pub(crate) fn single_quote(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// PATH with the folders of the administrator's programs, which a plain `su` leaves out.
pub(crate) fn path() -> OsString {
    with_sbin(std::env::var_os("PATH").unwrap_or_default())
}

fn with_sbin(mut path: OsString) -> OsString {
    for dir in ["/usr/local/sbin", "/usr/sbin", "/sbin"] {
        if !std::env::split_paths(&path).any(|there| there == Path::new(dir)) {
            path.push(":");
            path.push(dir);
        }
    }
    path
}

/// Whether PATH has a program of that name; of an absolute path, whether the file is there.
pub(crate) fn is_there(program: &str) -> bool {
    std::env::split_paths(&path()).any(|dir| dir.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_only_what_a_shell_would_change() {
        for (word, quoted) in [
            ("a-b_c./:=@%+,9", "a-b_c./:=@%+,9"),
            ("", "''"),
            ("two words", "'two words'"),
            ("$HOME", "'$HOME'"),
            ("it's", r"'it'\''s'"),
            ("~", "'~'"),
            ("a\nb", "'a\nb'"),
        ] {
            assert_eq!(shell_quote(word), quoted, "{word:?}");
            let echoed = Cmd::new("sh")
                .args(["-c", &format!("printf %s. {quoted}")])
                .read()
                .unwrap();
            assert_eq!(echoed, format!("{word}."), "{word:?}");
        }
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let err = Cmd::new("sh")
            .args(["-c", "echo out; echo bad >&2; exit 3"])
            .run()
            .unwrap_err();
        assert_eq!(
            err.to_string(),
            "command `sh -c 'echo out; echo bad >&2; exit 3'` failed (exit status: 3):\nbad"
        );
        let err = Cmd::new("sh")
            .args(["-c", "echo out; exit 1"])
            .run()
            .unwrap_err();
        assert!(err.to_string().ends_with(":\nout"), "{err}");
        let err = Cmd::new("no-such-program").arg("x").run().unwrap_err();
        assert_eq!(err.to_string(), "failed to start `no-such-program x`");
    }

    #[test]
    fn finds_programs_as_a_shell_of_root_does() {
        for (path, expected) in [
            (
                "/usr/bin:/bin",
                "/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            ),
            ("/usr/sbin:/bin", "/usr/sbin:/bin:/usr/local/sbin:/sbin"),
            (
                "/sbin:/usr/sbin:/usr/local/sbin",
                "/sbin:/usr/sbin:/usr/local/sbin",
            ),
        ] {
            assert_eq!(with_sbin(path.into()), expected);
        }
        assert!(is_there("sh") && is_there("/bin/sh"));
        assert!(!is_there("no-such-program") && !is_there("/no/such/file"));
    }

    #[test]
    fn tail_keeps_the_last_lines() {
        assert_eq!(tail("a\nb\nc", 2), "b\nc");
        assert_eq!(tail("a", 2), "a");
        assert_eq!(tail("", 2), "");
    }

    #[test]
    fn a_daemon_has_the_pid_it_was_started_with_and_logs() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let mut child = Cmd::new("sh")
            .args(["-c", "echo $$ $X"])
            .env("X", "y")
            .daemon(&log)
            .unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(
            std::fs::read_to_string(log).unwrap(),
            format!("{} y\n", child.id())
        );
    }

    #[test]
    fn a_daemon_has_no_file_that_its_starter_was_given() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let path = dir.path().join("lock");
        let lock = File::create(&path).unwrap();
        // As a file is that `flock FILE COMMAND` opens.
        rustix::io::fcntl_setfd(&lock, rustix::io::FdFlags::empty()).unwrap();
        let show = Cmd::new("sh").args(["-c", "readlink /proc/$$/fd/*"]);
        show.daemon(&log).unwrap().wait().unwrap();
        let files = std::fs::read_to_string(&log).unwrap();
        assert!(files.contains(log.to_str().unwrap()), "{files}");
        assert!(!files.contains(path.to_str().unwrap()), "{files}");
    }
}
