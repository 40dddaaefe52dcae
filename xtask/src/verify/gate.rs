//! What a release asks of verify: whether the receipts hold, and if not, a verification now.

use std::path::Path;

use anyhow::bail;

use super::check_set::check_set;
use super::checks::catalogue;
use super::receipt::{self, Receipt, Required};
use super::{Args, choice, show};
use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::platform::Platform;

/// A published image that is to be released.
pub(crate) struct ReleaseImage<'a> {
    /// `REPOSITORY@DIGEST`.
    pub(crate) name: &'a str,
    /// Of the index, or of the lone manifest.
    pub(crate) digest: &'a Digest,
    pub(crate) is_index: bool,
    /// Each platform with its manifest.
    pub(crate) images: Vec<(Platform, &'a Digest)>,
    /// The full commit id.
    pub(crate) revision: &'a str,
}

/// The platforms whose receipt below `folder` does not hold, each with all reasons why.
pub(crate) fn lacking(folder: &Path, image: &ReleaseImage) -> Vec<(Platform, String)> {
    let checks: Vec<&str> = catalogue().map(|check| check.id).collect();
    let lack = |&(platform, manifest): &(Platform, &Digest)| {
        let file = receipt::file(folder, image.digest, platform);
        let receipt = match Receipt::read(&file) {
            Ok(receipt) => receipt,
            Err(error) => return Some((platform, format!("{error:#}"))),
        };
        let objections = receipt::objections(
            &receipt,
            &Required {
                name: image.name,
                index: image.is_index.then_some(image.digest),
                manifest: Some(manifest),
                platform: Some(platform),
                revision: Some(image.revision),
                check_set: check_set(),
                checks: &checks,
            },
        );
        let text = receipt::describe(&objections);
        (!objections.is_empty()).then(|| (platform, format!("`{}`:{text}", file.display())))
    };
    image.images.iter().filter_map(lack).collect()
}

/// Verifies a published image on `platforms`; receipts go to their usual folder.
///
/// Fails when anything is not proven.
pub(crate) fn prove(
    ctx: &Ctx,
    name: &str,
    platforms: Vec<Platform>,
    revision: &str,
) -> anyhow::Result<()> {
    let args = Args {
        image: Some(name.to_owned()),
        platform: platforms,
        pull: true,
        revision: Some(revision.to_owned()),
        ..Args::default()
    };
    let report = args.prove(ctx, &choice::choose(&[], &[])?)?;
    anstream::eprint!("{}", show::table(&report, ctx.verbose));
    if !report.proven {
        bail!(
            "`{name}` is not proven ({}), and no tag was given; hint: what to do stands beside \
             each check; a mended image is another commit",
            report.sum()
        );
    }
    Ok(())
}
