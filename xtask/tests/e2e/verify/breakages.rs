//! Ways to break the image by one more layer, and the check that each is for.

mod agent;
mod contract;
mod files;
mod running;

/// An image that is broken in one way.
pub(super) struct Breakage {
    /// What is wrong, in a few words for the matrix.
    pub(super) what: &'static str,
    /// The check that must flag it, whoever else does.
    pub(super) owner: &'static str,
    /// What follows `FROM` the good image, as root.
    pub(super) layer: &'static str,
}

/// What stands in a layer for an `ENTRYPOINT` that is a script around the good one, which is
/// `$REAL`; the script follows in the same line.
pub(super) const AROUND: &str = "{AROUND} ";

/// What stands in a layer for a `claude` that is a script, which follows in the same line.
pub(super) const CLAUDE: &str = "{CLAUDE} ";

/// What stands in a layer for a token that looks real, which no source file may hold.
pub(super) const TOKEN: &str = "{TOKEN}";

const fn broken(what: &'static str, owner: &'static str, layer: &'static str) -> Breakage {
    Breakage { what, owner, layer }
}

/// All of them, in the order of the docs.
pub(super) fn breakages() -> impl Iterator<Item = &'static Breakage> {
    [
        contract::BREAKAGES,
        agent::BREAKAGES,
        running::BREAKAGES,
        files::BREAKAGES,
    ]
    .into_iter()
    .flatten()
}
