//! Reads what is kept with the versions of a repository: records, proofs, and the lists of what is attached.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde::Serialize;

use super::tag::AuditedTag;
use crate::attested::{self, Attested, Believed, Published, PublishedImage};
use crate::oci::Digest;
use crate::proof::ReleaseRecord;
use crate::records::{Recorded, Records};
use crate::referrers::{self, Listed};
use crate::registry::Puller;
use crate::tag_kind::Kind;
use crate::threads;
use crate::version::Version;

/// How many entries of one list are asked for.
const MOST_ENTRIES: usize = 256;

/// What is kept with the versions of a repository.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// Of each version that is published as an image; empty where nothing can be judged.
    pub(super) versions: BTreeMap<Version, KeptVersion>,
    /// Versions with a record, and without a tag of their own.
    pub(super) strays: Vec<Version>,
    /// The lists that have something wrong with them.
    pub(super) lists: Vec<FaultyList>,
}

/// What is kept with one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeptVersion {
    pub(super) image: PublishedImage,
    pub(super) attested: Attested,
}

/// A list of what is attached to a manifest, under the tag where clients keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct FaultyList {
    pub(super) tag: String,
    /// Why it is no list, with the remedy.
    pub(super) fault: Option<String>,
    /// Entries that lead nowhere.
    pub(super) dangling: Vec<Digest>,
    /// The manifest is gone that it lists.
    #[serde(rename = "subject_gone")]
    pub(super) is_subject_gone: bool,
}

impl Kept {
    /// Whether there is any record.
    pub(super) fn has_records(&self) -> bool {
        let mut records = self.versions.values().map(|one| &one.attested.records);
        !self.strays.is_empty()
            || records
                .any(|read| read.tagged != Recorded::Absent || read.newest != Recorded::Absent)
    }

    /// Whether a version was published before there were records: it has none, and neither has a lower one.
    pub(super) fn is_older_than_records(&self, version: &Version) -> bool {
        let mut up_to = self.versions.range(..=version).map(|(_, kept)| kept);
        up_to.all(|kept| kept.attested.records.newest == Recorded::Absent)
    }

    /// Whether a version counts: it is not withdrawn. In a repository without any record each does.
    pub(super) fn counts(&self, version: &Version) -> bool {
        let recorded = self.recorded(version).filter(|_| self.has_records());
        recorded.is_none_or(|recorded| recorded.counting().is_some())
    }

    /// What counts of a version's records; none when it was not read.
    pub(super) fn recorded(&self, version: &Version) -> Option<&Recorded> {
        let kept = self.versions.get(version)?;
        Some(&kept.attested.records.newest)
    }
}

/// Reads what is kept with the versions among `tags`. `names` are all tags of the repository, `bytes` what the
/// tags lead to. Lists are read of the versions' manifests, or, if `all` is asked for, every one.
pub(super) fn read(
    records: &Records,
    believed: &Believed,
    tags: &[AuditedTag],
    names: &[String],
    bytes: &BTreeMap<&Digest, &[u8]>,
    all: bool,
) -> anyhow::Result<Kept> {
    let recorded: BTreeSet<Version> = names
        .iter()
        .filter_map(|name| ReleaseRecord::version_of(name))
        .collect();
    let published: BTreeSet<Version> = tags.iter().filter_map(AuditedTag::version).collect();
    let images = tags.iter().filter_map(|tag| {
        let (version, digest) = (tag.version()?, tag.digest.as_ref()?);
        let image = PublishedImage::of(bytes.get(digest)?);
        tag.odd.is_none().then_some((version, tag, digest, image))
    });
    let images: Vec<(Version, &AuditedTag, &Digest, PublishedImage)> = images.collect();
    let is_known = !matches!(believed, Believed::Unknown(_));
    let attested = threads::each(&images, |(version, tag, digest, image)| {
        // Whether that is git's commit is judged apart.
        let revision = tag.revisions.iter().next();
        let published = Published {
            version,
            digest,
            image,
            has_record: recorded.contains(version),
            revision: revision.map(String::as_str),
        };
        let read = is_known.then(|| attested::read(records, &published));
        read.transpose()
            .with_context(|| format!("failed to read what is kept with `v{version}`"))
    })?;
    let manifests = images.iter().flat_map(|(.., digest, image)| {
        let platforms = image.platforms.iter().map(|one| &one.manifest);
        platforms.chain([*digest])
    });
    let lists = lists(records.puller, names, &manifests.collect(), all)?;
    let images = images.into_iter().zip(attested);
    let versions = images.filter_map(|((version, .., image), attested)| {
        let attested = attested?;
        Some((version, KeptVersion { image, attested }))
    });
    Ok(Kept {
        versions: versions.collect(),
        strays: recorded.difference(&published).cloned().collect(),
        lists,
    })
}

/// The faulty ones of the lists that clients keep: of those for `manifests`, or of every one.
fn lists(
    puller: &Puller,
    names: &[String],
    manifests: &BTreeSet<&Digest>,
    all: bool,
) -> anyhow::Result<Vec<FaultyList>> {
    let subjects = names.iter().filter_map(|name| match Kind::of(name) {
        Kind::Signature { of } if referrers::tag(&of) == *name => Some(of),
        _ => None,
    });
    let subjects = subjects.map(|of| (manifests.contains(&of), of));
    let subjects: Vec<(bool, Digest)> = subjects.filter(|(is_ours, _)| all || *is_ours).collect();
    let read = threads::each(&subjects, |(is_ours, of)| list(puller, of, *is_ours))?;
    Ok(read.into_iter().flatten().collect())
}

/// What is wrong with the list for `subject`; none for nothing, or where the registry keeps the lists and reads
/// no tag of ours. A version whose manifest is gone is broken, and what is attached to that is to be kept.
fn list(
    puller: &Puller,
    subject: &Digest,
    is_of_version: bool,
) -> anyhow::Result<Option<FaultyList>> {
    let Listed { referrers, fault } = referrers::list(puller, subject)?;
    if puller.has_referrers() == Some(true) {
        return Ok(None);
    }
    let mut found = FaultyList {
        tag: referrers::tag(subject),
        fault,
        ..FaultyList::default()
    };
    for referrer in referrers.iter().take(MOST_ENTRIES) {
        if puller.digest(referrer.digest().as_str())?.is_none() {
            found.dangling.push(referrer.digest().clone());
        }
    }
    found.is_subject_gone =
        !is_of_version && found.fault.is_none() && puller.digest(subject.as_str())?.is_none();
    let is_faulty = found.fault.is_some() || found.is_subject_gone || !found.dangling.is_empty();
    Ok(is_faulty.then_some(found))
}
