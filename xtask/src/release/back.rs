//! Which version `latest` goes back to, when nobody names one.

use super::facts::{self, Target};
use super::journal::{self, Entry};
use crate::oci::Digest;
use crate::stop::Stop;
use crate::version::Version;

/// Where `latest` was before, and who says so: the journals, or else the registry.
///
/// A second run goes to the same version and no further back: the first may have died half-way.
pub(super) fn find(first: &Target, history: &[Entry]) -> anyhow::Result<(Version, String)> {
    let reference = first.repository.reference("latest");
    let Some(at) = facts::digest(&first.registry, "latest")? else {
        return refuse(
            &format!("`{reference}` is not there, so there is nothing to take back"),
            "`cargo xtask release` gives it",
        );
    };
    if let Some(back) = journal::rollback(history, &reference, Some(&at)) {
        let why = format!("it was taken back ({}); `--to` goes further", back.time);
        return Ok((published(first, &at)?, why));
    }
    if let Some(before) = journal::before(history, &reference, &at) {
        let why = "the journal says that it was there before";
        return Ok((published(first, before)?, why.to_owned()));
    }
    let mut versions = facts::stable(&first.registry)?;
    versions.sort_unstable();
    let (highest, lower) = (versions.pop(), versions.pop());
    if let (Some(highest), Some(lower)) = (&highest, lower)
        && facts::digest(&first.registry, &format!("v{highest}"))?.as_ref() == Some(&at)
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
fn published(first: &Target, digest: &Digest) -> anyhow::Result<Version> {
    let version = facts::labelled(&first.registry, digest)?;
    if let Some(version) = version
        && facts::digest(&first.registry, &format!("v{version}"))?.as_ref() == Some(digest)
    {
        return Ok(version);
    }
    refuse(
        &format!("the journal says that `latest` was `{digest}`, which is no published version"),
        "`--to vX.Y.Z` says where to; `cargo xtask release --status` shows what is published",
    )
}

fn refuse<T>(why: &str, remedy: &str) -> anyhow::Result<T> {
    let text = format!("nothing was taken back: {why}\n  hint: {remedy}");
    Err(Stop::Refused(text).into())
}
