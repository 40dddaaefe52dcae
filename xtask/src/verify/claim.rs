//! Whether receipts prove an image, as verify's own program judges it: it knows the checks.

use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::program::program;
use crate::ctx::Ctx;
use crate::files;
use crate::oci::{self, Digest, Shape};
use crate::platform::Platform;
use crate::proof::{Bundle, LONGEST_BUNDLE};

/// A published image that is to be released.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReleaseImage {
    /// `REPOSITORY@DIGEST`.
    pub name: String,
    /// Of the index, or of the lone manifest.
    pub digest: Digest,
    pub is_index: bool,
    /// Each platform with its manifest.
    pub images: Vec<(Platform, Digest)>,
    /// The full commit id.
    pub revision: String,
}

/// An image, and the receipts that may prove it, whoever vouches for them.
#[derive(Debug, Serialize, Deserialize)]
pub struct Claim {
    pub image: ReleaseImage,
    /// Several for one platform are allowed: one that holds is enough. No object in one has a key twice.
    pub receipts: Vec<(Platform, Value)>,
}

/// The platforms of an image whose receipt does not hold, each with all reasons why.
pub type Unproven = Vec<(Platform, String)>;

/// For each claim, the platforms that none of its receipts proves.
pub(crate) fn unproven(ctx: &Ctx, claims: &[Claim]) -> anyhow::Result<Vec<Unproven>> {
    // verify need not be compiled to find nothing.
    if claims.iter().all(|claim| claim.receipts.is_empty()) {
        return Ok(claims.iter().map(without_receipts).collect());
    }
    let asked = serde_json::to_vec(claims).context("failed to ask verify about receipts")?;
    let args = ["verify", "--unproven"];
    let answer = ctx.exec.read_given(&program(ctx)?, &args, &asked)?;
    let unproven: Vec<Unproven> =
        serde_json::from_str(&answer).context("failed to read verify's answer")?;
    ensure!(
        unproven.len() == claims.len(),
        "verify answered for {} of {} images",
        unproven.len(),
        claims.len()
    );
    Ok(unproven)
}

fn without_receipts(claim: &Claim) -> Unproven {
    let platforms = claim.image.images.iter().map(|(platform, _)| *platform);
    platforms.map(|one| (one, NONE.to_owned())).collect()
}

/// Why nothing proves a platform.
pub const NONE: &str = "there is no receipt of it";

/// A folder of plain receipts. Anybody can write such a file: none counts for a release.
pub(crate) struct Receipts<'a> {
    pub(crate) ctx: &'a Ctx,
    /// Absolute, or relative to the caller's folder.
    pub(crate) folder: &'a Path,
}

impl Receipts<'_> {
    /// For each image, the platforms whose receipt in the folder does not hold.
    pub(crate) fn unproven(&self, images: &[ReleaseImage]) -> anyhow::Result<Vec<Unproven>> {
        let (claims, faults): (Vec<_>, Vec<_>) = images
            .iter()
            .cloned()
            .map(|image| self.claim(image))
            .unzip();
        let mut judged = unproven(self.ctx, &claims)?;
        for ((claim, unproven), faults) in claims.iter().zip(&mut judged).zip(faults) {
            for (platform, why) in unproven {
                let mut faults = faults.iter();
                *why = if let Some((_, fault)) = faults.find(|(of, _)| of == platform) {
                    fault.clone()
                } else {
                    let file = receipt_file(self.folder, &claim.image.digest, *platform);
                    format!("`{}`: {why}", file.display())
                };
            }
        }
        Ok(judged)
    }

    /// What the folder has of an image, and why the rest cannot be read.
    fn claim(&self, image: ReleaseImage) -> (Claim, Unproven) {
        let (mut receipts, mut faults) = (Vec::new(), Vec::new());
        for (platform, _) in &image.images {
            let file = receipt_file(self.folder, &image.digest, *platform);
            match read_receipt(&file) {
                Ok(receipt) => receipts.push((*platform, receipt)),
                Err(error) => faults.push((*platform, format!("{error:#}"))),
            }
        }
        (Claim { image, receipts }, faults)
    }
}

/// The path below `folder` of the receipt for a platform of the image `digest`, with dashes for characters
/// that some file systems refuse.
pub fn receipt_file(folder: &Path, digest: &Digest, platform: Platform) -> PathBuf {
    let platform = platform.as_str().replace('/', "-");
    folder
        .join(digest.as_str().replace(':', "-"))
        .join(format!("{platform}.json"))
}

/// The path of the bundle that signs a receipt: beside it.
pub fn bundle_file(receipt: &Path) -> PathBuf {
    receipt.with_extension("sigstore.json")
}

/// Reads a bundle; none where there is no such file.
///
/// Fails for a file that cannot be read, and for what is no bundle.
pub(crate) fn read_bundle(path: &Path) -> anyhow::Result<Option<Bundle>> {
    let name = path.display();
    let mut bytes = Vec::new();
    let limit = LONGEST_BUNDLE + 1;
    let read = files::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.with_context(|| format!("failed to read `{name}`"))?,
    };
    let bundle =
        Bundle::parse(&bytes).with_context(|| format!("`{name}` is not a signed receipt"))?;
    Ok(Some(bundle))
}

/// Reads a file that should be a receipt.
///
/// Fails for what is no JSON, is longer than 4 MiB, or could be read in two ways.
pub fn read_receipt(path: &Path) -> anyhow::Result<Value> {
    let name = path.display();
    let mut bytes = Vec::new();
    let limit = oci::LONGEST + 1;
    let read = files::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes));
    read.with_context(|| {
        format!("failed to read the receipt `{name}`; hint: `cargo xtask verify` writes one")
    })?;
    oci::parse_strictly(&bytes, &Shape::Any).map_err(|why| {
        anyhow!("`{name}` is not a receipt: {why}; hint: `cargo xtask verify` writes one")
    })
}
