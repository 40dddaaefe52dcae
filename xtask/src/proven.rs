//! What proves the platforms of an image: the verification of this very run, or bundles that are believed.

use std::path::Path;

use crate::ctx::Ctx;
use crate::oci::Digest;
use crate::platform::Platform;
use crate::proof::{Bundle, ProofWanted, Trust, VERIFICATION, unmet};
use crate::referrers::{self, Content};
use crate::registry::Puller;
use crate::verify::{
    self, Claim, ReleaseImage, Seen, Unproven, bundle_file, read_bundle, receipt_file,
};

/// How many reasons against the proofs of one platform are given.
const MOST_REASONS: usize = 3;

/// Where proofs are looked for, and how they are judged.
pub(crate) struct Proofs<'a> {
    pub(crate) ctx: &'a Ctx,
    pub(crate) trust: &'a Trust,
    /// The folder of bundles.
    pub(crate) folder: &'a Path,
    /// What this run's own verification has seen.
    pub(crate) own: Option<&'a Seen>,
    /// Whether a proof by the checks of its day will do, as for what is published already.
    pub(crate) is_of_its_day: bool,
}

/// What proves an image.
#[derive(Debug, Default)]
pub(crate) struct Proven {
    pub(crate) platforms: Vec<ProvenPlatform>,
    /// Platforms that nothing proves, each with the reason.
    pub(crate) lacking: Unproven,
}

/// A platform that is proven.
#[derive(Debug)]
pub(crate) struct ProvenPlatform {
    pub(crate) platform: Platform,
    pub(crate) manifest: Digest,
    /// Who vouches for it.
    pub(crate) by: String,
    /// What can be attached to the image; none for a verification that nobody signed.
    pub(crate) bundle: Option<Bundle>,
}

/// A bundle that is believed.
struct Candidate {
    platform: Platform,
    manifest: Digest,
    by: String,
    bundle: Bundle,
    receipt: serde_json::Value,
}

impl Proofs<'_> {
    /// What proves the platforms of an image. `puller` reads its repository, which is asked for the platforms
    /// that nothing here proves.
    pub(crate) fn of(&self, image: &ReleaseImage, puller: &Puller) -> anyhow::Result<Proven> {
        let mut proven = Proven::default();
        let mut left = Vec::new();
        for (platform, manifest) in &image.images {
            match self.seen(image, *platform, manifest)? {
                Some(seen) => proven.platforms.push(seen),
                None => left.push((*platform, manifest.clone())),
            }
        }
        if !self.trust.has_policy() {
            let why = "this run has not verified it, and there are no `proof` settings to believe \
                       another";
            let lacking = left
                .into_iter()
                .map(|(platform, _)| (platform, why.to_owned()));
            proven.lacking = lacking.collect();
            return Ok(proven);
        }
        let found = self.of_files(image, &left)?;
        let (held, mut lacking) = self.held(image, &left, found)?;
        proven.platforms.extend(held);
        left.retain(|(platform, _)| lacking.iter().any(|(one, _)| one == platform));
        if !left.is_empty() {
            let found = self.of_registry(image, &left, puller)?;
            let (held, of_registry) = self.held(image, &left, found)?;
            lacking.retain(|(platform, _)| of_registry.iter().any(|(one, _)| one == platform));
            for ((_, why), (_, more)) in lacking.iter_mut().zip(of_registry) {
                *why = format!("{why}; in the registry: {more}");
            }
            proven.platforms.extend(held);
        }
        proven.lacking = lacking;
        proven.platforms.sort_by_key(|one| one.platform);
        Ok(proven)
    }

    /// The platforms whose believed proof a repository has with the image.
    pub(crate) fn attached(
        &self,
        image: &ReleaseImage,
        puller: &Puller,
    ) -> anyhow::Result<Vec<Platform>> {
        if !self.trust.has_policy() {
            return Ok(image.images.iter().map(|(platform, _)| *platform).collect());
        }
        let found = self.of_registry(image, &image.images, puller)?;
        let (held, _) = self.held(image, &image.images, found)?;
        Ok(held.into_iter().map(|one| one.platform).collect())
    }

    /// What this run's verification says of a platform.
    fn seen(
        &self,
        image: &ReleaseImage,
        platform: Platform,
        manifest: &Digest,
    ) -> anyhow::Result<Option<ProvenPlatform>> {
        let own = self.own.filter(|own| own.digest == image.digest);
        let Some(seen) = own.and_then(|own| {
            let mut seen = own.platforms.iter();
            seen.find(|seen| seen.platform == platform && seen.manifest == *manifest)
        }) else {
            return Ok(None);
        };
        let bundle = seen
            .bundle
            .as_deref()
            .map(read_bundle)
            .transpose()?
            .flatten();
        let bundle = match bundle {
            Some(bundle) => self.travels(image, platform, manifest, bundle)?,
            None => None,
        };
        Ok(Some(ProvenPlatform {
            platform,
            manifest: manifest.clone(),
            by: "this run".to_owned(),
            bundle,
        }))
    }

    /// A bundle that this run has made, unless nobody who has these settings would believe it.
    fn travels(
        &self,
        image: &ReleaseImage,
        platform: Platform,
        manifest: &Digest,
        bundle: Bundle,
    ) -> anyhow::Result<Option<Bundle>> {
        if !self.trust.has_policy() {
            return Ok(Some(bundle));
        }
        let wanted = wanted(image, platform, manifest);
        match self.trust.proof(&bundle, &wanted)? {
            Ok(_) => Ok(Some(bundle)),
            Err(reasons) => {
                crate::say::errln!(
                    "note: the proof of {platform} is not attached, as the `proof` settings do not \
                     believe it: {}",
                    reasons.join("; ")
                );
                Ok(None)
            }
        }
    }

    /// For each platform the believed bundle in the folder, or why there is none.
    fn of_files(
        &self,
        image: &ReleaseImage,
        left: &[(Platform, Digest)],
    ) -> anyhow::Result<Vec<(Platform, Result<Candidate, String>)>> {
        let mut found = Vec::new();
        for (platform, manifest) in left {
            let file = bundle_file(&receipt_file(self.folder, &image.digest, *platform));
            let name = file.display();
            let candidate = match read_bundle(&file) {
                Err(error) => Err(format!("{error:#}")),
                Ok(None) => Err(format!("there is no `{name}`")),
                Ok(Some(bundle)) => {
                    let judged = self.candidate(image, *platform, manifest, bundle)?;
                    judged.map_err(|why| format!("`{name}`: {why}"))
                }
            };
            found.push((*platform, candidate));
        }
        Ok(found)
    }

    /// For each platform the believed bundles that a registry keeps with it, or why there is none.
    fn of_registry(
        &self,
        image: &ReleaseImage,
        left: &[(Platform, Digest)],
        puller: &Puller,
    ) -> anyhow::Result<Vec<(Platform, Result<Candidate, String>)>> {
        let mut all = Vec::new();
        for (platform, manifest) in left {
            let found = referrers::find(puller, manifest, VERIFICATION)?;
            if found.read.is_empty() {
                all.push((*platform, Err("no proof is attached to it".to_owned())));
            }
            for (_, content) in found.read {
                let candidate = match content {
                    Content::Artifact(artifact) => match Bundle::parse(&artifact.layer) {
                        Ok(bundle) => self.candidate(image, *platform, manifest, bundle)?,
                        Err(why) => Err(why.to_string()),
                    },
                    Content::Gone => Err("a proof that was attached is gone".to_owned()),
                    Content::Unusable(why) => Err(why),
                };
                all.push((*platform, candidate));
            }
        }
        Ok(all)
    }

    fn candidate(
        &self,
        image: &ReleaseImage,
        platform: Platform,
        manifest: &Digest,
        bundle: Bundle,
    ) -> anyhow::Result<Result<Candidate, String>> {
        let wanted = wanted(image, platform, manifest);
        Ok(match self.trust.proof(&bundle, &wanted)? {
            Err(reasons) => Err(reasons.join("; ")),
            Ok(trusted) => Ok(Candidate {
                platform,
                manifest: manifest.clone(),
                by: trusted.by,
                receipt: trusted.verification.receipt,
                bundle,
            }),
        })
    }

    /// The bundles whose receipt holds, one for each platform, and why there is none for the others.
    fn held(
        &self,
        image: &ReleaseImage,
        left: &[(Platform, Digest)],
        found: Vec<(Platform, Result<Candidate, String>)>,
    ) -> anyhow::Result<(Vec<ProvenPlatform>, Unproven)> {
        let (mut candidates, mut reasons) = (Vec::new(), Vec::new());
        for (platform, candidate) in found {
            match candidate {
                Ok(candidate) => candidates.push(candidate),
                Err(why) => reasons.push((platform, why)),
            }
        }
        let verdicts = self.verdicts(image, &candidates)?;
        let mut held: Vec<ProvenPlatform> = Vec::new();
        for (candidate, verdict) in candidates.into_iter().zip(verdicts) {
            match verdict {
                Some(why) => reasons.push((candidate.platform, why)),
                None if held.iter().any(|one| one.platform == candidate.platform) => {}
                None => held.push(ProvenPlatform {
                    platform: candidate.platform,
                    manifest: candidate.manifest,
                    by: candidate.by,
                    bundle: Some(candidate.bundle),
                }),
            }
        }
        let is_held = |platform: &Platform| held.iter().any(|one| one.platform == *platform);
        let lacking = left.iter().filter(|(platform, _)| !is_held(platform));
        let lacking = lacking.map(|(platform, _)| {
            let own = reasons.iter().filter(|(one, _)| one == platform);
            (*platform, few(own.map(|(_, why)| &**why)))
        });
        let lacking = lacking.collect();
        Ok((held, lacking))
    }

    /// Why the receipt in each candidate does not hold by today's checks; none where it does.
    fn verdicts(
        &self,
        image: &ReleaseImage,
        candidates: &[Candidate],
    ) -> anyhow::Result<Vec<Option<String>>> {
        if self.is_of_its_day || candidates.is_empty() {
            return Ok(candidates.iter().map(|one| unmet(&one.receipt)).collect());
        }
        let claims = candidates.iter().map(|candidate| Claim {
            image: ReleaseImage {
                images: vec![(candidate.platform, candidate.manifest.clone())],
                ..image.clone()
            },
            receipts: vec![(candidate.platform, candidate.receipt.clone())],
        });
        let claims: Vec<Claim> = claims.collect();
        let unproven = verify::unproven(self.ctx, &claims)?;
        let why = |unproven: Unproven| unproven.into_iter().next().map(|(_, why)| why);
        Ok(unproven.into_iter().map(why).collect())
    }
}

/// Some of the reasons, each once: anybody who may push can attach as much as he likes.
fn few<'a>(reasons: impl Iterator<Item = &'a str>) -> String {
    let mut said: Vec<&str> = Vec::new();
    for reason in reasons {
        if !said.contains(&reason) {
            said.push(reason);
        }
    }
    let more = said.len().saturating_sub(MOST_REASONS);
    said.truncate(MOST_REASONS);
    let more = match more {
        0 => String::new(),
        more => format!("; and {more} more are not believed"),
    };
    format!("{}{more}", said.join("; "))
}

fn wanted<'a>(
    image: &'a ReleaseImage,
    platform: Platform,
    manifest: &'a Digest,
) -> ProofWanted<'a> {
    ProofWanted {
        index: &image.digest,
        manifest,
        platform,
        revision: Some(&image.revision),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_of_many_reasons_are_given() {
        let given = |reasons: &[&str]| few(reasons.iter().copied());
        assert_eq!(given(&["a", "a", "b"]), "a; b");
        assert_eq!(
            given(&["a", "b", "c", "d", "e"]),
            "a; b; c; and 2 more are not believed"
        );
    }
}
