//! Reads a repository tag by tag, down to the last blob.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use serde::Serialize;

use super::kept::{self, Kept};
use super::survey::{Survey, survey};
use super::tag::AuditedTag;
use crate::attested::Believed;
use crate::oci::{Digest, Unclear};
use crate::records::Records;
use crate::reference::Repository;
use crate::registry::{Puller, TagList, Unusable};
use crate::tag_kind::Kind;
use crate::tags::sha_name;
use crate::version::{self, Version};
use crate::{git, threads};

/// A repository, as it was read.
#[derive(Debug, Serialize)]
pub(super) struct AuditedRepository {
    pub(super) repository: Repository,
    /// `latest`, `dev` and versions, or every tag: in that order, the highest version first.
    pub(super) tags: Vec<AuditedTag>,
    /// What the `sha-…` tags of the versions' commits lead to.
    pub(super) commits: BTreeMap<String, Digest>,
    /// Whether proofs and records can be judged, and by whom.
    #[serde(rename = "proofs")]
    pub(super) believed: Believed,
    #[serde(skip)]
    pub(super) kept: Kept,
}

/// Reads a repository. What is missing or is no image is a fact; a registry that does not answer, or
/// does not let us read, is an error.
pub(super) fn observe(records: &Records, all: bool) -> anyhow::Result<AuditedRepository> {
    let Records {
        repository, puller, ..
    } = *records;
    let TagsRead {
        names,
        mut tags,
        roots,
    } = read_tags(repository, puller, all)?;
    let roots: Vec<(&Digest, &Root)> = roots.iter().collect();
    let surveys = threads::each(&roots, |(_, root)| {
        let below = || below(repository, &root.tag);
        survey(&root.bytes, puller).with_context(below)
    })?;
    let digests = roots.iter().map(|(digest, _)| *digest);
    let surveys: BTreeMap<&Digest, Survey> = digests.zip(surveys).collect();
    let sizes = blob_sizes(repository, puller, &roots, &surveys)?;
    for tag in &mut tags {
        let survey = tag.digest.as_ref().and_then(|digest| surveys.get(digest));
        if let Some(survey) = survey {
            tag.manifests = survey.manifests;
            tag.blobs = survey.blobs.len();
            tag.revisions.clone_from(&survey.revisions);
            tag.built.clone_from(&survey.built);
            tag.odd.clone_from(&survey.odd);
            tag.broken.clone_from(&survey.broken);
            tag.broken.extend(bad_blobs(survey, &sizes));
        }
    }
    let believed = Believed::of(records.trust)?;
    let bytes = roots.iter().map(|(digest, root)| (*digest, &*root.bytes));
    let kept = kept::read(records, &believed, &tags, &names, &bytes.collect(), all)?;
    Ok(AuditedRepository {
        repository: repository.clone(),
        commits: commit_tags(puller, &tags)?,
        believed,
        kept,
        tags,
    })
}

/// A tag before anything below it is read.
fn unread(name: &str, found: &Found, is_gone: bool) -> AuditedTag {
    let (digest, odd) = match found {
        Found::There((digest, _)) => (Some(digest.clone()), None),
        Found::Nothing => (None, None),
        Found::Odd(why) => (None, Some(why.clone())),
    };
    AuditedTag {
        name: name.to_owned(),
        digest,
        odd,
        is_gone,
        ..AuditedTag::default()
    }
}

fn below(repository: &Repository, tag: &str) -> String {
    let reference = repository.reference(tag);
    format!("failed to read what is below `{reference}`")
}

/// An index or a manifest, and the first tag that leads to it.
struct Root {
    tag: String,
    bytes: Vec<u8>,
}

/// What a registry gives for a tag.
enum Found {
    There((Digest, Vec<u8>)),
    Nothing,
    /// Something that cannot be read, and why.
    Odd(String),
}

/// The tags of a repository.
struct TagsRead {
    /// All that are listed.
    names: Vec<String>,
    /// Those to check.
    tags: Vec<AuditedTag>,
    /// What those lead to, by its digest.
    roots: BTreeMap<Digest, Root>,
}

/// The tags that people follow.
pub(super) const FOLLOWED: [&str; 2] = ["latest", "dev"];

/// Reads the tags to check.
fn read_tags(repository: &Repository, puller: &Puller, all: bool) -> anyhow::Result<TagsRead> {
    let TagList {
        tags: all_names,
        odd,
    } = puller.tag_list()?;
    let mut names = all_names.clone();
    names.retain(|name| all || version::of_tag(name).is_some() || FOLLOWED.contains(&&**name));
    names.sort_by_key(|name| rank(name));
    let found = threads::each(&names, |name| read_tag(repository, puller, name))?;
    // A clean-up may run at the same time.
    let still = if found.iter().any(|one| matches!(one, Found::Nothing)) {
        puller.tag_list()?.tags
    } else {
        Vec::new()
    };
    let (mut tags, mut roots) = (Vec::new(), BTreeMap::new());
    for (name, found) in names.into_iter().zip(found) {
        let is_gone = matches!(found, Found::Nothing) && !still.contains(&name);
        tags.push(unread(&name, &found, is_gone));
        if let Found::There((digest, bytes)) = found {
            roots.entry(digest).or_insert(Root { tag: name, bytes });
        }
    }
    tags.extend(odd.into_iter().filter(|_| all).map(AuditedTag::misnamed));
    Ok(TagsRead {
        names: all_names,
        tags,
        roots,
    })
}

fn read_tag(repository: &Repository, puller: &Puller, name: &str) -> anyhow::Result<Found> {
    let failed = || format!("failed to read `{}`", repository.reference(name));
    match puller.manifest(name) {
        Err(error) if error.is::<Unusable>() || error.is::<Unclear>() => {
            Ok(Found::Odd(format!("{error:#}")))
        }
        found => {
            let found = found.with_context(failed)?;
            Ok(found.map_or(Found::Nothing, Found::There))
        }
    }
}

/// The size of each blob in the registry; `None` where it is missing, 0 where no size is given, or why it
/// cannot be read.
type Sizes = BTreeMap<Digest, Result<Option<u64>, String>>;

/// Asks for the blobs below all tags, for each once.
fn blob_sizes(
    repository: &Repository,
    puller: &Puller,
    roots: &[(&Digest, &Root)],
    surveys: &BTreeMap<&Digest, Survey>,
) -> anyhow::Result<Sizes> {
    let mut blobs: BTreeMap<&Digest, &str> = BTreeMap::new();
    for (digest, root) in roots {
        let survey = surveys.get(digest).into_iter();
        for blob in survey.flat_map(|survey| survey.blobs.keys()) {
            blobs.entry(blob).or_insert(&root.tag);
        }
    }
    let blobs: Vec<(&Digest, &str)> = blobs.into_iter().collect();
    let sizes = threads::each(&blobs, |(blob, tag)| {
        let below = || below(repository, tag);
        match puller.blob_size(blob) {
            Err(error) if error.is::<Unusable>() => Ok(Err(format!("{error:#}"))),
            found => found.map(Ok).with_context(below),
        }
    })?;
    let blobs = blobs.into_iter().map(|(blob, _)| blob.clone());
    Ok(blobs.zip(sizes).collect())
}

/// The blobs that are missing or have another size than the tag's manifests say, each as a sentence.
fn bad_blobs(survey: &Survey, sizes: &Sizes) -> Vec<String> {
    let bad = survey.blobs.iter().filter_map(|(digest, &size)| {
        let found = match sizes.get(digest) {
            Some(Err(why)) => return Some(format!("its blob `{digest}` cannot be read: {why}")),
            Some(Ok(found)) => *found,
            None => None,
        };
        match found {
            None => Some(format!("its blob `{digest}` is missing")),
            // Some registries do not give the size, and some manifests neither.
            Some(found) if found == 0 || size == 0 || found == size => None,
            Some(found) => Some(format!(
                "its blob `{digest}` has {found} bytes instead of {size}"
            )),
        }
    });
    bad.collect()
}

/// `latest` first, then `dev`, the versions from the highest down, and the rest by name.
fn rank(name: &str) -> (u8, std::cmp::Reverse<Option<Version>>, String) {
    let version = version::of_tag(name);
    let group = match &version {
        _ if name == "latest" => 0,
        _ if name == "dev" => 1,
        Some(_) => 2,
        None => 3,
    };
    (group, std::cmp::Reverse(version), name.to_owned())
}

/// Reads the `sha-…` tags of the commits that the versions are built from.
fn commit_tags(puller: &Puller, tags: &[AuditedTag]) -> anyhow::Result<BTreeMap<String, Digest>> {
    let versions = tags.iter().filter(|tag| tag.version().is_some());
    let names: BTreeSet<String> = versions
        .flat_map(|tag| tag.revisions.iter().map(|revision| sha_name(revision)))
        // Anybody may write anything into a label.
        .filter(|name| Kind::of(name) == Kind::Build)
        .collect();
    let names: Vec<String> = names.into_iter().collect();
    let found = threads::each(&names, |name| puller.manifest(name))?;
    let pairs = names.into_iter().zip(found);
    Ok(pairs
        .filter_map(|(name, found)| Some((name, found?.0)))
        .collect())
}

/// The commit of each published version's git tag, if this clone has the tag.
pub(super) fn commits(
    root: &Path,
    versions: &[Version],
    repositories: &[AuditedRepository],
) -> anyhow::Result<BTreeMap<Version, String>> {
    let published: BTreeSet<Version> = repositories
        .iter()
        .flat_map(|facts| facts.tags.iter().filter_map(AuditedTag::version))
        .collect();
    let known = versions
        .iter()
        .filter(|version| published.contains(version));
    known
        .map(|version| Ok((version.clone(), git::tagged(root, version)?)))
        .collect()
}
