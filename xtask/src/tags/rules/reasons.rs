//! Why a commit gets no tag, with the remedies, where several rules say so.

pub(super) const DIRTY: &str = "the tree differs from the commit";
pub(super) const COMMIT_FIRST: &str = "`git commit` or `git stash -u` what differs, then ask again";
