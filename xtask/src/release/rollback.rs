//! The version that `latest` rolls back to when the command line names none.

use super::facts::Destination;
use crate::journal::{self, JournalEntry};
use crate::oci::Digest;
use crate::published;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::version::Version;

/// The version that `latest` was at before, and the source of that: the journals, or else the registry.
///
/// A second run goes to the same version, and no further back: the first may have died half-way.
pub(super) fn find(
    first: &Destination,
    history: &[JournalEntry],
) -> anyhow::Result<(Version, String)> {
    let reference = first.repository.reference("latest");
    let Some(at) = published::digest(&first.puller, "latest")? else {
        return refuse(
            &format!("`{reference}` is not there, so there is nothing to roll back"),
            "`cargo xtask release` writes it",
        );
    };
    if let Some(back) = journal::rollback(history, &reference, Some(&at)) {
        let why = format!("it was rolled back ({}); `--to` goes further", back.time);
        return Ok((version_of(first, &at)?, why));
    }
    if let Some(before) = journal::before(history, &reference, &at) {
        let why = "the journal says that it was there before";
        return Ok((version_of(first, before)?, why.to_owned()));
    }
    let mut versions = published::stable(&first.puller)?;
    versions.sort_unstable();
    let (highest, lower) = (versions.pop(), versions.pop());
    if let (Some(highest), Some(lower)) = (&highest, lower)
        && published::digest(&first.puller, &format!("v{highest}"))?.as_ref() == Some(&at)
    {
        let why = format!("the highest published version below `v{highest}`");
        return Ok((lower, why));
    }
    refuse(
        &format!(
            "no journal here says where `{reference}` was before, and it is not at the highest of \
             several published versions"
        ),
        "`--to vX.Y.Z` says where to; `cargo xtask release --status` shows what is published",
    )
}

/// The version that is published as `digest`.
fn version_of(first: &Destination, digest: &Digest) -> anyhow::Result<Version> {
    let version = published::labelled(&first.puller, digest)?;
    if let Some(version) = version
        && published::digest(&first.puller, &format!("v{version}"))?.as_ref() == Some(digest)
    {
        return Ok(version);
    }
    refuse(
        &format!("`latest` was `{digest}`, which is not a published version"),
        "`--to vX.Y.Z` says where to; `cargo xtask release --status` shows what is published",
    )
}

fn refuse<T>(why: &str, remedy: &str) -> anyhow::Result<T> {
    let refusal = Refusal::new(format!("nothing was rolled back: {why}"), remedy);
    Err(Stop::from(refusal).into())
}
