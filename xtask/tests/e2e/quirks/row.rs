//! A row of the table: a habit of registries, the commands that meet it, and what must come out.

use super::auth::{Auth, BASIC, LOGIN, Login};
use super::rule::Rule;
use super::stand::Place;

#[derive(Debug)]
pub(super) struct Row {
    /// A name that docs/registries.md can use.
    pub(super) name: &'static str,
    /// A public report of the habit, or the standard that allows it.
    pub(super) source: &'static str,
    pub(super) place: Place,
    pub(super) auth: Auth,
    pub(super) login: Login,
    /// Variables of the environment besides.
    pub(super) env: &'static [(&'static str, &'static str)],
    pub(super) rules: &'static [Rule],
    pub(super) runs: &'static [(Command, Ends)],
    pub(super) crane: Crane,
}

/// What every row has unless it says otherwise: plain HTTP on loopback, a password, no quirk.
pub(super) const ROW: Row = Row {
    name: "",
    source: "",
    place: Place::Plain("127.0.0.1"),
    auth: BASIC,
    login: LOGIN,
    env: &[],
    rules: &[],
    runs: &[],
    crane: Crane::None("nothing of crane's is like it"),
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Command {
    /// `tags --published`.
    Tags,
    Audit,
    AuditAll,
    /// `release --status`.
    Status,
    /// `release --dry-run`.
    Plan,
    Release,
    /// `release` from a repository without quirks to one with them.
    Copy,
    /// `release` to two repositories of this registry.
    Mount,
    /// `image --merge`.
    Merge,
    /// `image --push` of one platform, built by an engine.
    Push,
    Prune,
    /// `prune --yes`.
    PruneYes,
    /// `verify` of a published tag.
    Verify,
}

/// How a command ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ends {
    /// As without the quirk: the same output of who reads, the same tags of who writes.
    Works,
    /// Whatever it thinks of it, its output has all these.
    Shows(&'static [&'static str]),
    Fails(Failure),
}

/// A failure: nothing has changed but `changes`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) code: i32,
    /// What the error has in it.
    pub(super) says: &'static [&'static str],
    /// What it has not.
    pub(super) never: &'static [&'static str],
    /// The tags that are elsewhere all the same.
    pub(super) changes: &'static [&'static str],
    /// How many requests it takes at most.
    pub(super) requests: usize,
}

/// Ends with exit code 1 and an error that has these words in it; nothing has changed.
pub(super) const fn fails(says: &'static [&'static str]) -> Ends {
    Ends::Fails(failure(says))
}

pub(super) const fn failure(says: &'static [&'static str]) -> Failure {
    Failure {
        code: 1,
        says,
        never: &[],
        changes: &[],
        requests: usize::MAX,
    }
}

/// [`fails`] before anything is built.
pub(super) const fn fails_unbuilt(says: &'static [&'static str]) -> Ends {
    Ends::Fails(Failure {
        never: &["#1 "],
        ..failure(says)
    })
}

/// [`fails`] after so many requests at most.
pub(super) const fn fails_within(requests: usize, says: &'static [&'static str]) -> Ends {
    Ends::Fails(Failure {
        requests,
        ..failure(says)
    })
}

/// What crane makes of it: the arguments, with `{repo}`, `{digest}`, `{blob}`, `{own}` and
/// `{layout}`.
#[derive(Clone, Copy, Debug)]
pub(super) enum Crane {
    /// It works where the first command does, and fails where that fails.
    Agrees(&'static [&'static str]),
    /// It does the other, for a reason.
    Differs(&'static [&'static str], &'static str),
    /// It is not asked.
    None(&'static str),
}

pub(super) const LS: Crane = Crane::Agrees(&["ls", "{repo}"]);
pub(super) const DIGEST: Crane = Crane::Agrees(&["digest", "{repo}:latest"]);
pub(super) const MANIFEST: Crane = Crane::Agrees(&["manifest", "{repo}:latest"]);
pub(super) const BLOB: Crane = Crane::Agrees(&["blob", "{repo}@{blob}"]);
pub(super) const TAG: Crane = Crane::Agrees(&["tag", "{repo}@{digest}", "v2.1.0"]);
pub(super) const PUSH: Crane = Crane::Agrees(&["push", "{layout}", "{repo}:v2.1.0"]);
