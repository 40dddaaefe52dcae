//! What is wrong with a run, in words for whoever reads a failed test.

use super::row::Failure;
use super::stand::Stand;
use crate::common::Ran;

/// Empty when all is as it must be.
pub(super) type Wrong = Vec<String>;

impl Failure {
    /// Judges a run that changed these tags.
    pub(super) fn judge(&self, ran: &Ran, changes: &[String], stand: &Stand) -> Wrong {
        let mut wrong = Wrong::new();
        if ran.code != Some(self.code) {
            wrong.push(format!("does not end with {}", self.code));
        }
        for said in self.says.iter().filter(|said| !ran.stderr.contains(**said)) {
            wrong.push(format!("does not say `{said}`"));
        }
        for said in self.never.iter().filter(|said| ran.stderr.contains(**said)) {
            wrong.push(format!("says `{said}`"));
        }
        let mut wanted = self.changes.to_vec();
        wanted.sort_unstable();
        if changes != wanted {
            wrong.push(format!("changes {changes:?} instead of {wanted:?}"));
        }
        let count = stand.seen().len();
        if count > self.requests {
            wrong.push(format!("takes {count} requests"));
        }
        wrong
    }
}

/// What only one of two outputs has.
pub(super) fn difference(said: &str, plain: &str) -> String {
    let only = |text: &str, other: &str| {
        let other: Vec<&str> = other.lines().collect();
        let lines = text.lines().filter(|line| !other.contains(line)).take(8);
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    };
    let (more, less) = (only(said, plain), only(plain, said));
    let counts = (said.lines().count(), plain.lines().count());
    format!("{counts:?} lines; says {more}\nand not, as without the quirk, {less}")
}

/// How a run ended.
pub(super) fn end(ran: &Ran) -> String {
    let lines: Vec<&str> = ran.stderr.lines().collect();
    let last = lines[lines.len().saturating_sub(6)..].join("\n");
    format!("exit code {:?}: {last}", ran.code)
}

/// The requests of a run, the last ones where there are many.
pub(super) fn requests(stand: &Stand) -> String {
    let seen = stand.seen();
    let first = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    let lines = seen[seen.len().saturating_sub(40)..].iter().map(|one| {
        let authorization = one.authorization.as_deref().unwrap_or("-");
        let (target, authorization) = (first(&one.target, 90), first(authorization, 12));
        format!(
            "    {:?} {} {target} [{authorization}]\n",
            one.role, one.method
        )
    });
    lines.collect()
}
