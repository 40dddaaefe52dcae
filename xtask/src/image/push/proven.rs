//! What proves an image that `dev` may lead to.
//!
//! With `proof` settings only signed receipts count that they believe, from the folder or from the registry.
//! Without them a plain receipt of the folder counts: for `dev` alone, which no release starts from. Who can
//! write there can push `dev` as well.

use std::path::Path;

use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::proof::{Bundle, ProofWanted, Trust, VERIFICATION};
use crate::referrers::{self, Content};
use crate::registry::Puller;
use crate::verify::{self, Claim, Receipts, ReleaseImage, Unproven};

/// The platforms of an image that nothing proves, each with all reasons why.
pub(super) fn unproven(
    ctx: &Ctx,
    puller: &Puller,
    folder: &Path,
    image: ReleaseImage,
) -> anyhow::Result<Unproven> {
    let trust = Trust::of(ctx)?;
    if !trust.has_policy() {
        let mut unproven = Receipts { ctx, folder }.unproven(&[image])?;
        return Ok(unproven.pop().unwrap_or_default());
    }
    let mut receipts = Vec::new();
    let mut faults: Vec<(Platform, Vec<String>)> = Vec::new();
    for (platform, manifest) in &image.images {
        let wanted = ProofWanted {
            index: &image.digest,
            manifest,
            platform: *platform,
            revision: Some(&image.revision),
        };
        let mut reasons = Vec::new();
        for (place, bundle) in bundles(puller, folder, &image.digest, *platform, manifest)? {
            let judged = match bundle {
                Ok(bundle) => trust.proof(&bundle, &wanted)?,
                Err(why) => Err(vec![why]),
            };
            match judged {
                Ok(proof) => receipts.push((*platform, proof.verification.receipt)),
                Err(why) => reasons.push(format!("{place}: {}", why.join("; "))),
            }
        }
        faults.push((*platform, reasons));
    }
    let claims = [Claim { image, receipts }];
    let mut unproven = verify::unproven(ctx, &claims)?.pop().unwrap_or_default();
    for (platform, why) in &mut unproven {
        let [Claim { receipts, .. }] = &claims;
        let has_receipt = receipts.iter().any(|(of, _)| of == platform);
        let own = faults.iter().find(|(of, _)| of == platform);
        let reasons = own.map_or(&[][..], |(_, reasons)| reasons);
        // What is believed and does not hold is nearer to a proof than what is not believed.
        if !has_receipt && !reasons.is_empty() {
            *why = reasons.join("; ");
        }
    }
    Ok(unproven)
}

/// The bundles for a platform, each with the place where it was found, or what is wrong with it.
fn bundles(
    puller: &Puller,
    folder: &Path,
    index: &Digest,
    platform: Platform,
    manifest: &Digest,
) -> anyhow::Result<Vec<(String, Result<Bundle, String>)>> {
    let file = verify::bundle_file(folder, index, platform);
    let kept = verify::read_bundle(&file).transpose();
    let kept = kept.map(|kept| {
        (
            format!("`{}`", file.display()),
            kept.map_err(|error| format!("{error:#}")),
        )
    });
    let found = referrers::find(puller, manifest, VERIFICATION)?;
    let attached = found.read.into_iter().filter_map(|(referrer, content)| {
        let bundle = match content {
            Content::Artifact(artifact) => {
                Bundle::parse(&artifact.layer).map_err(|why| why.to_string())
            }
            Content::Unusable(why) => Err(why),
            // The entry dangles: there is nothing to judge.
            Content::Gone => return None,
        };
        Some((format!("`{}`", referrer.digest()), bundle))
    });
    Ok(kept.into_iter().chain(attached).collect())
}
