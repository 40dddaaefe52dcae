//! What a repository keeps with a published version, believed or not: its records, and the proof of each platform.
//!
//! The registry alone is asked, so that every machine with the same settings sees the same.

use serde::Serialize;

use crate::oci::{Digest, Document, Unclear};
use crate::platform::Platform;
use crate::printable;
use crate::proof::{Bundle, ProofWanted, Trust, VERIFICATION, unmet};
use crate::records::{ReadRecords, Records};
use crate::referrers::{self, Content, Form};
use crate::refusal::Refusal;
use crate::version::Version;

/// How many reasons against the proofs of one platform are given.
const MOST_REASONS: usize = 3;

/// Whether what is signed can be judged here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Believed {
    /// By the settings.
    Judged,
    /// There are no `proof` settings.
    Nobody,
    /// Why not, with the remedy.
    Unknown(Refusal),
}

impl Believed {
    pub(crate) fn of(trust: &Trust) -> anyhow::Result<Believed> {
        if !trust.has_policy() {
            return Ok(Believed::Nobody);
        }
        Ok(match trust.unable()? {
            None => Believed::Judged,
            Some(refusal) => Believed::Unknown(refusal),
        })
    }
}

/// What is to be read of a published version.
pub(crate) struct Published<'a> {
    pub(crate) version: &'a Version,
    pub(crate) digest: &'a Digest,
    pub(crate) image: &'a PublishedImage,
    /// Whether the repository lists a tag for its record.
    pub(crate) has_record: bool,
    /// The commit that it must be of; none when any will do.
    pub(crate) revision: Option<&'a str>,
}

/// The images that a version's tag leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PublishedImage {
    pub(crate) platforms: Vec<PublishedPlatform>,
    /// Why nothing of it can be proven, if so.
    pub(crate) fault: Option<String>,
}

/// An image for one platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublishedPlatform {
    /// As the index names it, fit to be shown.
    pub(crate) name: String,
    /// None for a platform that is none of ours.
    pub(crate) platform: Option<Platform>,
    pub(crate) manifest: Digest,
}

/// What was read with a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Attested {
    pub(crate) records: ReadRecords,
    /// For each platform who has signed its proof, in words, or why it is not proven. Empty without `proof`
    /// settings: nobody is believed then.
    pub(crate) proofs: Vec<Result<String, String>>,
}

impl PublishedImage {
    /// Reads the bytes that a tag leads to.
    pub(crate) fn of(bytes: &[u8]) -> PublishedImage {
        PublishedImage::read(bytes).unwrap_or_else(|why| PublishedImage {
            platforms: Vec::new(),
            fault: Some(why.to_string()),
        })
    }

    fn read(bytes: &[u8]) -> Result<PublishedImage, Unclear> {
        let Document::Index(index) = Document::parse(bytes)? else {
            return Err(Unclear::new(
                "it is one manifest, and a proof is of an index",
            ));
        };
        let entries = index.manifests.into_iter();
        let images = entries.filter(|entry| !entry.is_attestation());
        let platforms = images.map(|image| {
            let named = image.platform.as_ref();
            let platform = Platform::ALL
                .into_iter()
                .find(|one| named.is_some_and(|named| named.is(*one)));
            let name = named.map_or("no platform".to_owned(), ToString::to_string);
            PublishedPlatform {
                name: printable::short(&name),
                platform,
                manifest: image.digest,
            }
        });
        Ok(PublishedImage {
            platforms: platforms.collect(),
            fault: None,
        })
    }
}

/// Reads and judges what is kept with a version.
pub(crate) fn read(records: &Records, published: &Published) -> anyhow::Result<Attested> {
    let Published {
        version,
        digest,
        image,
        has_record,
        ..
    } = published;
    let read = records.read(version, digest, *has_record)?;
    let mut proofs = Vec::new();
    if records.trust.has_policy() {
        for platform in &image.platforms {
            proofs.push(proof(records, published, platform)?);
        }
    }
    Ok(Attested {
        records: read,
        proofs,
    })
}

/// Who has proven a platform, or why nobody has. The newest proof is verified first, and the others only if
/// that is not believed.
fn proof(
    records: &Records,
    published: &Published,
    image: &PublishedPlatform,
) -> anyhow::Result<Result<String, String>> {
    let Some(platform) = image.platform else {
        return Ok(Err("it is for none of this project's platforms".to_owned()));
    };
    let wanted = ProofWanted {
        index: published.digest,
        manifest: &image.manifest,
        platform,
        revision: published.revision,
    };
    let found = referrers::find(records.puller, &image.manifest, VERIFICATION)?;
    let mut reasons = Vec::new();
    for (_, content) in found.read.into_iter().rev() {
        match judge(records.trust, content, &wanted)? {
            Ok(by) => return Ok(Ok(by)),
            Err(why) => reasons.push(why),
        }
    }
    reasons.extend(found.fault);
    Ok(Err(summary(&reasons, found.unread)))
}

/// Who has signed the proof in what is attached, or why it is not believed. Its checks are those of its day.
fn judge(
    trust: &Trust,
    content: Content,
    wanted: &ProofWanted,
) -> anyhow::Result<Result<String, String>> {
    let artifact = match content {
        Content::Artifact(artifact) => artifact,
        Content::Gone => return Ok(Err("a proof that was attached is gone".to_owned())),
        Content::Unusable(why) => return Ok(Err(why)),
    };
    if artifact.form == Form::Statement {
        return Ok(Err("it is not signed".to_owned()));
    }
    let bundle = match Bundle::parse(&artifact.layer) {
        Ok(bundle) => bundle,
        Err(why) => return Ok(Err(why.to_string())),
    };
    Ok(match trust.proof(&bundle, wanted)? {
        Err(reasons) => Err(reasons.join("; ")),
        Ok(trusted) => match unmet(&trusted.verification.receipt) {
            Some(why) => Err(why),
            None => Ok(trusted.by),
        },
    })
}

/// Some of the reasons, each once: anybody who may push can attach as much as he likes.
fn summary(reasons: &[String], unread: usize) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut more = unread;
    for reason in reasons {
        let reason = printable::short(reason);
        if said.contains(&reason) {
            continue;
        }
        if said.len() < MOST_REASONS {
            said.push(reason);
        } else {
            more += 1;
        }
    }
    if said.is_empty() {
        return "no proof is attached to it".to_owned();
    }
    if more > 0 {
        said.push(format!("and {more} more are not believed"));
    }
    said.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

    #[test]
    fn the_platforms_of_an_index_are_named_as_it_names_them() {
        let entry = |os: &str, architecture: &str| {
            json!({
                "mediaType": MANIFEST, "digest": Digest::of(architecture.as_bytes()), "size": 7,
                "platform": {"os": os, "architecture": architecture},
            })
        };
        let index = |entries: Vec<serde_json::Value>| {
            let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries});
            PublishedImage::of(index.to_string().as_bytes())
        };
        let found = index(vec![entry("linux", "arm64"), entry("linux", "s390x")]);
        let names = found.platforms.iter();
        let names: Vec<_> = names.map(|one| (&*one.name, one.platform)).collect();
        assert_eq!(
            names,
            [
                ("linux/arm64", Some(Platform::LinuxArm64)),
                ("linux/s390x", None)
            ]
        );
        assert_eq!(found.fault, None);
        let hostile = index(vec![entry("linux", "a\u{1b}[2J\n::add-mask::x")]);
        for platform in &hostile.platforms {
            assert!(!platform.name.contains(['\u{1b}', '\n']), "{hostile:?}");
        }
        let html = PublishedImage::of(b"<html>");
        assert!(html.platforms.is_empty() && html.fault.is_some());
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"c"), "size": 1},
        });
        let one = PublishedImage::of(manifest.to_string().as_bytes()).fault;
        assert_eq!(
            one.as_deref(),
            Some("it is one manifest, and a proof is of an index")
        );
    }

    #[test]
    fn few_reasons_are_given_and_each_once() {
        let reasons = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (given, unread, expected) in [
            (reasons(&[]), 0, "no proof is attached to it"),
            (reasons(&["a", "a"]), 0, "a"),
            (reasons(&["a", "b", "c"]), 0, "a; b; c"),
            (
                reasons(&["a", "b", "c", "d"]),
                5,
                "a; b; c; and 6 more are not believed",
            ),
            (
                reasons(&["\u{1b}[2J\n::add-mask::x"]),
                0,
                "\\u{1b}[2J ::add-mask::x",
            ),
        ] {
            assert_eq!(summary(&given, unread), expected);
        }
        let long = summary(&reasons(&[&"x".repeat(9_999)]), 0);
        assert!(long.len() < 400, "{long}");
    }
}
