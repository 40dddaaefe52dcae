//! What a release asks: whether the receipts hold.

use std::io::{self, Read as _};
use std::path::Path;

use anyhow::Context as _;
use xtask::oci::Digest;
use xtask::platform::Platform;
use xtask::report;
use xtask::verify::{ReleaseImage, Unproven};

use crate::check_set::check_set;
use crate::checks::catalogue;
use crate::receipt::validity::{self, Required};
use crate::receipt::{self, Receipt};

/// More than a release with every platform and version has.
const LIMIT: u64 = 16 << 20;

/// Reads images from stdin and prints, for each, the platforms that no receipt below `folder`
/// proves.
pub(crate) fn answer(folder: &Path) -> anyhow::Result<()> {
    let mut asked = Vec::new();
    let read = io::stdin().lock().take(LIMIT).read_to_end(&mut asked);
    read.context("failed to read the images from stdin")?;
    let images: Vec<ReleaseImage> =
        serde_json::from_slice(&asked).context("stdin has no list of images")?;
    let unproven: Vec<Unproven> = images.iter().map(|image| unproven(folder, image)).collect();
    report::print_json(&unproven)
}

/// The platforms whose receipt below `folder` does not hold, each with all reasons why.
fn unproven(folder: &Path, image: &ReleaseImage) -> Unproven {
    let checks: Vec<&str> = catalogue().map(|check| check.id).collect();
    let lack = |(platform, manifest): &(Platform, Digest)| {
        let platform = *platform;
        let file = receipt::file(folder, &image.digest, platform);
        let receipt = match Receipt::read(&file) {
            Ok(receipt) => receipt,
            Err(error) => return Some((platform, format!("{error:#}"))),
        };
        let objections = validity::objections(
            &receipt,
            &Required {
                name: &image.name,
                index: image.is_index.then_some(&image.digest),
                manifest: Some(manifest),
                platform: Some(platform),
                revision: Some(&image.revision),
                check_set: check_set(),
                checks: &checks,
            },
        );
        let text = validity::describe(&objections);
        (!objections.is_empty()).then(|| (platform, format!("`{}`:{text}", file.display())))
    };
    image.images.iter().filter_map(lack).collect()
}
