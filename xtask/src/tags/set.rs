//! A commit's tag set as plain data: what `cargo xtask tags --json` prints.

use std::collections::BTreeMap;

use serde::Serialize;

use super::question::Question;
use crate::git::Facts;
use crate::reference::{Repository, check_tag};
use crate::refusal::Refusal;
use crate::version::Version;

/// What is not known in a shallow clone.
pub(super) const SHALLOW: &str = "the clone is shallow: tags may be missing; hint: `git fetch --unshallow --tags` \
     (`fetch-depth: 0` for actions/checkout)";

/// Everything that `cargo xtask tags` reports, in the form of `--json`.
///
/// `schema` rises when a field changes its meaning or goes; a new field does not raise it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct TagSet {
    pub(crate) schema: u32,
    /// The image's repository, with its registry where it is not Docker Hub.
    pub(crate) repository: String,
    /// The revision label: HEAD's full commit id, with `-dirty` when the tree differs from it.
    pub(crate) revision: String,
    /// The commit's time as RFC 3339 in UTC.
    pub(crate) created: String,
    /// The same in seconds since 1970, for `SOURCE_DATE_EPOCH`.
    pub(crate) epoch: i64,
    /// The branch at HEAD; null when HEAD is detached.
    pub(crate) branch: Option<String>,
    /// Null when neither the settings nor git know one.
    pub(crate) default_branch: Option<String>,
    /// Paths that differ from the commit; empty for a clean tree.
    pub(crate) dirty: Vec<String>,
    /// The clone is shallow, so that tags may be missing.
    pub(crate) shallow: bool,
    /// The source's web address, without credentials.
    pub(crate) source: Option<String>,
    /// Every git tag at HEAD.
    pub(crate) git_tags: Vec<String>,
    /// The version at HEAD that counts, without its `v`.
    pub(crate) version: Option<Version>,
    /// Whether that version is a prerelease.
    pub(crate) prerelease: Option<bool>,
    /// Stable versions in git above `version`, the highest first: `latest` depends on them.
    #[serde(rename = "higher_versions")]
    pub(crate) higher: Vec<String>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) withheld: Vec<Withheld>,
    /// Git tags that look like versions but are not, each with the reason.
    pub(crate) near_misses: BTreeMap<String, String>,
    pub(crate) notes: Vec<String>,
    /// The OCI labels that follow from the commit.
    pub(crate) labels: BTreeMap<&'static str, String>,
}

/// A tag that the image of the commit may carry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Tag {
    pub(crate) name: String,
    /// The full name, with the repository.
    pub(crate) reference: String,
    pub(crate) applied_by: AppliedBy,
    pub(crate) why: String,
    /// Given only if the registry has no higher version, which it was not asked (`--published`).
    #[serde(rename = "conditional")]
    pub(crate) is_conditional: bool,
}

/// The command that gives a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AppliedBy {
    Image,
    Release,
}

impl AppliedBy {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            AppliedBy::Image => "image",
            AppliedBy::Release => "release",
        }
    }
}

/// A tag that the commit does not get.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Withheld {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) reason: Refusal,
    /// A git tag or a flag asks for it and a rule forbids it: the command ends with 3.
    #[serde(rename = "refused")]
    pub(crate) is_refused: bool,
}

impl Tag {
    /// The only way to make a tag. Fails for a name that registries refuse.
    pub(crate) fn new(
        repository: &Repository,
        name: String,
        applied_by: AppliedBy,
        why: impl Into<String>,
    ) -> Result<Tag, String> {
        check_tag(&name)?;
        Ok(Tag {
            reference: repository.reference(&name),
            name,
            applied_by,
            why: why.into(),
            is_conditional: false,
        })
    }
}

impl TagSet {
    /// What is known of the commit, before the tags are decided.
    pub(super) fn new(facts: &Facts, question: &Question) -> anyhow::Result<TagSet> {
        let head = &facts.head;
        let default_branch = question.default_branch.as_ref();
        Ok(TagSet {
            schema: 2,
            repository: question.repository.to_string(),
            revision: head.revision_label(),
            created: head.created()?,
            epoch: head.epoch,
            branch: head.branch.clone(),
            default_branch: default_branch.or(facts.default_branch.as_ref()).cloned(),
            dirty: head.dirty.clone(),
            shallow: facts.shallow,
            source: head.source.clone(),
            git_tags: facts.at_head.clone(),
            version: None,
            prerelease: None,
            higher: Vec::new(),
            tags: Vec::new(),
            withheld: Vec::new(),
            near_misses: facts.near_misses.clone(),
            notes: Vec::new(),
            labels: BTreeMap::new(),
        })
    }

    /// The references of all tags that are certain. `latest` is not, before the registry was asked.
    pub(crate) fn references(&self) -> Vec<&str> {
        let sure = self.tags.iter().filter(|tag| !tag.is_conditional);
        sure.map(|tag| tag.reference.as_str()).collect()
    }

    /// The labels that the image of this commit has, as far as git decides them.
    pub(super) fn label(&mut self, workspace_version: Option<&str>) {
        let version = self.version.as_ref().map(ToString::to_string);
        let version = version.as_deref().or(workspace_version);
        let labels = [
            ("org.opencontainers.image.created", Some(&*self.created)),
            ("org.opencontainers.image.revision", Some(&*self.revision)),
            ("org.opencontainers.image.source", self.source.as_deref()),
            ("org.opencontainers.image.version", version),
        ];
        self.labels = labels
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?.to_owned())))
            .collect();
    }
}
