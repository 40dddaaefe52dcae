//! The input of the rules for a commit's tags, besides git.

use super::latest::Published;
use crate::github::Ci;
use crate::reference::Repository;
use crate::version::Version;

/// What the tag set of a commit depends on besides git.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) repository: Repository,
    /// The branch whose builds are published as `dev`; `None` falls back to what git knows.
    pub(crate) default_branch: Option<String>,
    /// The version in Cargo.toml, where there is one to compare with.
    pub(crate) workspace_version: Option<String>,
    /// The version asked for, of several at HEAD.
    pub(crate) pick: Option<Version>,
    pub(crate) ci: Option<Ci>,
    pub(crate) published: Published,
}
