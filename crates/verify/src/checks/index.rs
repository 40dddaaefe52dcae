//! The index: one image for each platform, and only attestations beside them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use xtask::oci::{Descriptor, EntryKind, Index, attestation_fault};
use xtask::platform;

use super::inspect::count;
use crate::check::{Check, How, Verdict};
use crate::facts::{ImageFacts, IndexFacts};

pub(crate) const CHECKS: &[Check] = &[
    Check {
        id: "index-platforms",
        proves: "the index has exactly one image for each platform, and none for another",
        source: "docs/specification.md, Multi-Architecture Support: linux/amd64, linux/arm64",
        remedy: "build the index anew, for all platforms of `[workspace.metadata.image]`; an index \
                 that was appended to keeps the old image of a platform",
        how: How::Files(platforms),
    },
    Check {
        id: "index-attestations",
        proves: "what else the index has are attestations of its images",
        source: "docs/specification.md, What the project adds: attestations are known by their annotation",
        remedy: "build the index anew, in one go: attestations cannot be moved between indexes",
        how: How::Files(attestations),
    },
    Check {
        id: "index-complete",
        proves: "all that the index names is there, and is what its digest says",
        source: "docs/specification.md, What the project adds: deleting what has no tag breaks published indexes",
        remedy: "push the image again; let clean-ups keep what an index names",
        how: How::Files(complete),
    },
];

/// The index, or why there is none to judge.
fn index(facts: &ImageFacts) -> Result<&Index, Verdict> {
    match &facts.index {
        IndexFacts::Known { index, .. } => Ok(index),
        IndexFacts::None => Err(Verdict::NotApplicable(
            "the digest is one manifest, not an index".to_owned(),
        )),
        IndexFacts::Unknown(why) => Err(Verdict::NotApplicable(why.clone())),
    }
}

/// The platform that the entry is an image for, if engines take it for one.
fn platform_of(entry: &Descriptor) -> Option<String> {
    let platform = entry.platform.as_ref();
    let platform = platform.filter(|_| entry.kind() == EntryKind::Image);
    platform.map(ToString::to_string)
}

fn platforms(facts: &ImageFacts) -> Verdict {
    let index = match index(facts) {
        Ok(index) => index,
        Err(verdict) => return verdict,
    };
    let expected = &facts.expected.platforms;
    let images = || {
        index
            .manifests
            .iter()
            .filter(|entry| platform_of(entry).is_some())
    };
    let is_for = |entry: &Descriptor, wanted| entry.platform.as_ref().is_some_and(|p| p.is(wanted));
    let mut found = Vec::new();
    for wanted in expected {
        match images().filter(|entry| is_for(entry, *wanted)).count() {
            1 => {}
            0 => found.push(format!("no image for `{wanted}`")),
            many => found.push(format!("{many} images for `{wanted}`")),
        }
    }
    for entry in images().filter(|entry| !expected.iter().any(|wanted| is_for(entry, *wanted))) {
        let platform = platform_of(entry).unwrap_or_default();
        found.push(format!(
            "an image for `{platform}` ({})",
            entry.digest.short()
        ));
    }
    let expected = platform::join(expected);
    if found.is_empty() {
        return Verdict::passed(expected);
    }
    Verdict::none_of(&found, &format!("one image for each of `{expected}`"))
}

fn attestations(facts: &ImageFacts) -> Verdict {
    let (index, manifests) = match (index(facts), &facts.index) {
        (Ok(index), IndexFacts::Known { manifests, .. }) => (index, manifests),
        (Ok(index), _) => (index, &BTreeMap::new()),
        (Err(verdict), _) => return verdict,
    };
    let entries = || index.manifests.iter();
    let others: Vec<&Descriptor> = entries()
        .filter(|entry| platform_of(entry).is_none())
        .collect();
    let faults = others.iter().filter_map(|entry| match entry.platform {
        None => {
            let name = entry.digest.short();
            Some(format!(
                "`{name}` (no platform) is neither image nor attestation"
            ))
        }
        Some(_) => attestation_fault(entry, manifests.get(&entry.digest), index),
    });
    let found: Vec<String> = faults.collect();
    if !found.is_empty() {
        return Verdict::none_of(&found, "attestations of the index's own images alone");
    }
    Verdict::passed(match others.len() {
        0 => "none beside the images".to_owned(),
        number => count(number, "attestation"),
    })
}

fn complete(facts: &ImageFacts) -> Verdict {
    match (&facts.index, index(facts)) {
        (_, Err(verdict)) => verdict,
        (IndexFacts::Known { broken, .. }, Ok(_)) if !broken.is_empty() => {
            Verdict::none_of(broken, "everything that the index leads to")
        }
        (_, Ok(index)) => Verdict::passed(count(index.manifests.len(), "manifest")),
    }
}
