//! Reads a repository tag by tag, down to the last blob.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;

use crate::image_tree::{Content, REVISION};
use crate::oci::{Config, Digest};
use crate::reference::Repository;
use crate::registry::Puller;
use crate::tags::sha_name;
use crate::version::{self, Version};
use crate::{git, threads};

/// A repository, as it was read.
#[derive(Debug, Serialize)]
pub(super) struct AuditedRepository {
    pub(super) repository: Repository,
    /// Versions and `latest`, or every tag: in that order, the highest version first.
    pub(super) tags: Vec<AuditedTag>,
    /// What the `sha-…` tags of the versions' commits lead to.
    pub(super) commits: BTreeMap<String, Digest>,
}

/// What a tag leads to.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct AuditedTag {
    pub(super) name: String,
    /// `None` when the tag is listed and leads nowhere.
    pub(super) digest: Option<Digest>,
    /// How many manifests there are below it, attestations included.
    pub(super) manifests: usize,
    /// How many blobs they name, each counted once.
    pub(super) blobs: usize,
    /// What is missing below it, or wrong.
    pub(super) broken: Vec<String>,
    /// The commits in the labels of its images.
    pub(super) revisions: BTreeSet<String>,
}

impl AuditedTag {
    /// The version that the tag's name is.
    pub(super) fn version(&self) -> Option<Version> {
        version::of_tag(&self.name)
    }
}

/// Reads a repository. What is missing is a fact; what cannot be read is an error.
pub(super) fn observe(
    repository: &Repository,
    puller: &Puller,
    all: bool,
) -> anyhow::Result<AuditedRepository> {
    let (mut tags, roots) = read_tags(puller, all)?;
    let (digests, documents): (Vec<Digest>, Vec<Vec<u8>>) = roots.into_iter().unzip();
    let surveys = threads::each(&documents, |bytes| survey(puller, bytes))?;
    let surveys: BTreeMap<&Digest, Survey> = digests.iter().zip(surveys).collect();
    let bad = bad_blobs(puller, &surveys)?;
    for tag in &mut tags {
        let survey = tag.digest.as_ref().and_then(|digest| surveys.get(digest));
        if let Some(survey) = survey {
            tag.manifests = survey.content.manifests.len();
            tag.blobs = survey.content.blobs.len();
            tag.revisions.clone_from(&survey.revisions);
            tag.broken.clone_from(&survey.broken);
            let all = survey.content.blobs.iter();
            let bad = all.filter_map(|blob| bad.get(&blob.digest).cloned());
            tag.broken.extend(bad);
        }
    }
    Ok(AuditedRepository {
        repository: repository.clone(),
        commits: commit_tags(puller, &tags)?,
        tags,
    })
}

/// Indexes and manifests by their digests.
type Documents = BTreeMap<Digest, Vec<u8>>;

/// The tags to check, and the bytes of what each leads to.
fn read_tags(puller: &Puller, all: bool) -> anyhow::Result<(Vec<AuditedTag>, Documents)> {
    let mut names = puller.tags()?;
    let is_kept = |name: &String| {
        let is_version = version::of_tag(name).is_some();
        // A signature's tag is the digest that it signs.
        is_version || name == "latest" || (all && !name.starts_with("sha256-"))
    };
    names.retain(is_kept);
    names.sort_by_key(|name| rank(name));
    let found = threads::each(&names, |name| puller.manifest(name))?;
    let (mut tags, mut roots) = (Vec::new(), Documents::new());
    for (name, found) in names.into_iter().zip(found) {
        tags.push(AuditedTag {
            name,
            digest: found.as_ref().map(|(digest, _)| digest.clone()),
            ..AuditedTag::default()
        });
        roots.extend(found);
    }
    Ok((tags, roots))
}

/// The blobs that are missing or have another size, each as a sentence.
fn bad_blobs<'a>(
    puller: &Puller,
    surveys: &'a BTreeMap<&Digest, Survey>,
) -> anyhow::Result<BTreeMap<&'a Digest, String>> {
    let blobs = surveys.values().flat_map(|survey| &survey.content.blobs);
    let blobs: BTreeMap<&Digest, u64> = blobs.map(|blob| (&blob.digest, blob.size)).collect();
    let blobs: Vec<(&Digest, u64)> = blobs.into_iter().collect();
    let found = threads::each(&blobs, |(digest, _)| puller.blob_size(digest))?;
    let pairs = blobs.into_iter().zip(found);
    let bad = pairs.filter_map(|((digest, size), found)| match found {
        None => Some((digest, format!("its blob `{digest}` is missing"))),
        // Some registries do not give the size.
        Some(0) => None,
        Some(found) if found == size => None,
        Some(found) => {
            let why = format!("its blob `{digest}` has {found} bytes instead of {size}");
            Some((digest, why))
        }
    });
    Ok(bad.collect())
}

/// `latest` first, then the versions from the highest down, then the rest by name.
fn rank(name: &str) -> (u8, std::cmp::Reverse<Option<Version>>, String) {
    let version = version::of_tag(name);
    let group = match &version {
        _ if name == "latest" => 0,
        Some(_) => 1,
        None => 2,
    };
    (group, std::cmp::Reverse(version), name.to_owned())
}

/// What was read below a digest.
struct Survey {
    content: Content,
    broken: Vec<String>,
    revisions: BTreeSet<String>,
}

fn survey(puller: &Puller, bytes: &[u8]) -> anyhow::Result<Survey> {
    let (content, broken) = Content::survey(bytes, puller)?;
    let broken = broken.iter().map(ToString::to_string).collect();
    let mut revisions = BTreeSet::new();
    for named in &content.manifests {
        // A missing configuration is reported as a missing blob.
        let Some(config) = puller.json(&named.config)? else {
            continue;
        };
        if let Ok(config) = serde_json::from_value::<Config>(config) {
            revisions.extend(config.config.labels.get(REVISION).cloned());
        }
    }
    Ok(Survey {
        content,
        broken,
        revisions,
    })
}

/// Reads the `sha-…` tags of the commits that the versions are built from.
fn commit_tags(puller: &Puller, tags: &[AuditedTag]) -> anyhow::Result<BTreeMap<String, Digest>> {
    let versions = tags.iter().filter(|tag| tag.version().is_some());
    let names: BTreeSet<String> = versions
        .flat_map(|tag| tag.revisions.iter().map(|revision| sha_name(revision)))
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
