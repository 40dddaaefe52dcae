//! What programs in containers did.

use std::os::unix::process::ExitStatusExt as _;

use xtask::exec::Ended;
use xtask::printable::short;

/// What a command in a container did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// None for a program that was killed at its limit.
    pub(super) fn of(ended: &Ended) -> Option<Ran> {
        let status = ended.status?;
        let signal = || 128 + status.signal().unwrap_or_default();
        Some(Ran {
            code: status.code().unwrap_or_else(signal),
            stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
        })
    }

    /// Its exit code and the last line that it printed, in one line for people; what stands on
    /// stderr says more of an end.
    pub(crate) fn describe(&self) -> String {
        let last = |text: &'_ str| -> Option<String> {
            let mut lines = text.lines().map(str::trim).rev();
            lines.find(|line| !line.is_empty()).map(short)
        };
        match last(&self.stderr).or_else(|| last(&self.stdout)) {
            Some(said) => format!("exit {}, `{said}`", self.code),
            None => format!("exit {}, no output", self.code),
        }
    }
}

/// What a person saw who typed the specification's verification steps (6.4) on a terminal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Session {
    /// How `docker run --rm -it IMAGE bash` ended, and all that stood on the terminal.
    pub(crate) ran: Ran,
    /// The containers of the session that were left when it had ended.
    pub(crate) left: Vec<String>,
}

impl Session {
    /// The text between the marks `<<NAME` and `NAME>>`, without the line ends around it.
    pub(crate) fn answer(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.ran.stdout.split_once(&format!("<<{name}"))?;
        let (answer, _) = rest.split_once(&format!("{name}>>"))?;
        Some(answer.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_one_line() {
        let ran = |stdout: &str, stderr: &str| Ran {
            code: 3,
            stdout: stdout.to_owned(),
            stderr: stderr.to_owned(),
        };
        assert_eq!(ran("", "").describe(), "exit 3, no output");
        assert_eq!(ran("a\nb\n\n", "").describe(), "exit 3, `b`");
        assert_eq!(ran("", "x\n\u{1b}[2J\n").describe(), r"exit 3, `\u{1b}[2J`");
        let long = ran(&"x".repeat(999), "").describe();
        assert!(long.chars().count() < 350, "{long}");
    }

    #[test]
    fn an_answer_stands_between_its_marks() {
        let stdout = "$ echo \"<<\"a\r\n<<a\r\nv20.1.0\r\na>>\r\n$ exit\r\n".to_owned();
        let ran = Ran {
            stdout,
            ..Ran::default()
        };
        let session = Session {
            ran,
            left: Vec::new(),
        };
        assert_eq!(session.answer("a"), Some("v20.1.0"));
        assert_eq!(session.answer("b"), None);
    }
}
