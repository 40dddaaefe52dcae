//! What a repository has published: its versions, what a tag leads to, and whether that is what it must be.

use std::cmp::Reverse;

use anyhow::bail;
use serde::Serialize;

use crate::image_tree::{Image, ImageTree, is_broken};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::printable::Printable;
use crate::proof::ReleaseRecord;
use crate::records::{Recorded, RecordedVersion, Records};
use crate::reference::Repository;
use crate::registry::{Puller, TagList};
use crate::version::{self, Version};

/// What a tag leads to in the registry.
#[derive(Debug)]
pub(crate) enum TagContent {
    Absent,
    /// Something that is not a whole index, and why.
    Broken(String),
    There(ImageTree),
}

/// What a tag must lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Wanted {
    pub(crate) tag: String,
    /// With the repository.
    pub(crate) reference: String,
    pub(crate) platforms: Vec<Platform>,
    /// The full commit id.
    pub(crate) revision: String,
}

/// What `tag` leads to. A registry that gives no answer is an error, never "nothing".
pub(crate) fn inspect(puller: &Puller, tag: &str) -> anyhow::Result<TagContent> {
    let read = || {
        let Some((_, bytes)) = puller.manifest(tag)? else {
            return Ok(TagContent::Absent);
        };
        ImageTree::read(bytes, puller).map(TagContent::There)
    };
    match read() {
        Err(error) if is_broken(&error) => Ok(TagContent::Broken(format!("{error:#}"))),
        read => read,
    }
}

/// What `tree` has that it should not have, or has not; empty when it is what is wanted.
pub(crate) fn objections(tree: &ImageTree, wanted: &Wanted) -> Vec<String> {
    let mut objections = Vec::new();
    for &platform in &wanted.platforms {
        if tree.images_for(platform).is_empty() {
            objections.push(format!("it has nothing for `{platform}`"));
        }
    }
    for image in &tree.images {
        let is_wanted = |platform: &&Platform| image.is_for(**platform);
        if wanted.platforms.iter().find(is_wanted).is_none() {
            objections.push(format!("it has an image for `{}` too", image.platform));
        } else if image.revision() != Some(&wanted.revision) {
            objections.push(format!(
                "its image for `{}` is built from {}",
                image.platform,
                match image.revision() {
                    Some(revision) => format!("commit `{}`", Printable(revision)),
                    None => "an unknown commit".to_owned(),
                }
            ));
        }
    }
    objections
}

/// What a tag leads to, by the hash of the very bytes; none when the registry has no such tag.
pub(crate) fn digest(puller: &Puller, tag: &str) -> anyhow::Result<Option<Digest>> {
    Ok(puller.manifest(tag)?.map(|(digest, _)| digest))
}

/// What a repository has, as far as `latest` depends on it: the one source for `tags` and `release`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What the version's own tag leads to, if it is listed.
    pub(crate) tag: Option<Digest>,
    /// What the repository says about the version.
    pub(crate) recorded: Recorded,
    /// The stable versions besides that one, from the highest down as far as they were asked for.
    pub(crate) others: Vec<RecordedVersion>,
    pub(crate) latest: Option<Latest>,
}

/// What `latest` leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Latest {
    pub(crate) digest: Digest,
    /// The version whose tag or record leads there too, or else the version that the image's label gives.
    pub(crate) version: Option<Version>,
    /// Whether that version is published as this digest.
    pub(crate) is_published: bool,
}

/// How many of the other versions are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Depth<'a> {
    /// Those down to the first that counts, by their tags alone: an older record that was put back keeps
    /// `latest` where it is, and nothing moves to such a version before it is read again.
    Counting,
    /// All above this one.
    Above(&'a Version),
    /// Those down to the first that counts below this one.
    Below(&'a Version),
}

impl Depth<'_> {
    /// Whether another version is read after `version`, the lowest that was.
    fn goes_on(self, last: &RecordedVersion) -> bool {
        let counts = last.recorded.counting().is_some();
        match self {
            Depth::Counting => !counts,
            Depth::Above(_) => true,
            Depth::Below(version) => !(counts && last.version < *version),
        }
    }

    fn begins(self, version: &Version) -> bool {
        match self {
            Depth::Above(lowest) => version > lowest,
            Depth::Counting | Depth::Below(_) => true,
        }
    }
}

/// What a repository lists.
pub(crate) struct Listing {
    /// Sorted.
    tags: Vec<String>,
}

impl Listing {
    pub(crate) fn read(puller: &Puller) -> anyhow::Result<Listing> {
        let mut tags = puller.tags()?;
        tags.sort_unstable();
        Ok(Listing { tags })
    }

    fn has(&self, tag: &str) -> bool {
        self.tags.binary_search_by(|one| (**one).cmp(tag)).is_ok()
    }

    fn has_record(&self, version: &Version) -> bool {
        self.has(&ReleaseRecord::tag(version))
    }

    /// The stable versions, the highest first.
    fn stable(&self) -> Vec<Version> {
        let mut versions = version::stable(&self.tags);
        versions.sort_unstable_by_key(|version| Reverse(version.clone()));
        versions
    }

    /// The stable versions besides `version`, as deep as they are asked for.
    pub(crate) fn recorded(
        &self,
        records: &Records,
        version: Option<&Version>,
        depth: Depth,
    ) -> anyhow::Result<Vec<RecordedVersion>> {
        let mut found: Vec<RecordedVersion> = Vec::new();
        for other in self.stable() {
            if Some(&other) == version || !depth.begins(&other) {
                continue;
            }
            let recorded = match depth {
                Depth::Counting if self.has_record(&other) => records.tagged(&other)?,
                Depth::Counting => Recorded::Absent,
                Depth::Above(_) | Depth::Below(_) => self.of(records, &other)?,
            };
            let one = RecordedVersion {
                version: other,
                recorded,
            };
            let goes_on = depth.goes_on(&one);
            found.push(one);
            if !goes_on {
                break;
            }
        }
        Ok(found)
    }

    /// What counts of all records of a version that is listed.
    fn of(&self, records: &Records, version: &Version) -> anyhow::Result<Recorded> {
        match digest(records.puller, &format!("v{version}"))? {
            Some(digest) => records.newest(version, &digest, self.has_record(version)),
            None => Ok(Recorded::Absent),
        }
    }
}

/// Asks a repository what it has besides `version`: whatever it lists counts, and not what git knows. `image` is
/// what the version is to be published as, where that is known.
pub(crate) fn standing(
    records: &Records,
    version: &Version,
    image: Option<&Digest>,
    depth: Depth,
) -> anyhow::Result<Standing> {
    let listing = Listing::read(records.puller)?;
    let tag = if listing.has(&format!("v{version}")) {
        digest(records.puller, &format!("v{version}"))?
    } else {
        None
    };
    let recorded = match &tag {
        Some(tag) => records.newest(version, tag, listing.has_record(version))?,
        None => records.unpublished(version, image, listing.has_record(version))?,
    };
    let others = listing.recorded(records, Some(version), depth)?;
    let latest = match digest(records.puller, "latest")? {
        Some(at) if Some(&at) == tag.as_ref() => Some(Latest {
            digest: at,
            version: Some(version.clone()),
            is_published: true,
        }),
        Some(at) => Some(latest(records.puller, &listing, at, &others)?),
        None => None,
    };
    Ok(Standing {
        tag,
        recorded,
        others,
        latest,
    })
}

/// What `latest`, which leads to `at`, is: by the records, or else by the image's label; without one it may be
/// the highest stable version that is listed.
pub(crate) fn latest(
    puller: &Puller,
    listing: &Listing,
    at: Digest,
    others: &[RecordedVersion],
) -> anyhow::Result<Latest> {
    let is_it = |one: &&RecordedVersion| one.recorded.believed().is_some_and(|it| it.digest == at);
    if let Some(recorded) = others.iter().find(is_it) {
        return Ok(Latest {
            digest: at,
            version: Some(recorded.version.clone()),
            is_published: true,
        });
    }
    let label = labelled(puller, &at)?;
    let is_labelled = label.is_some();
    let version = label.or_else(|| listing.stable().into_iter().next());
    let tag = version.as_ref().map(|version| format!("v{version}"));
    let is_published = match tag.filter(|tag| listing.has(tag)) {
        Some(tag) => digest(puller, &tag)?.as_ref() == Some(&at),
        None => false,
    };
    // What only may be it is not.
    let version = version.filter(|_| is_published || is_labelled);
    Ok(Latest {
        digest: at,
        version,
        is_published,
    })
}

/// The version in an image's label; none when there is no label, or when the image is not whole.
pub(crate) fn labelled(puller: &Puller, digest: &Digest) -> anyhow::Result<Option<Version>> {
    let TagContent::There(tree) = inspect(puller, digest.as_str())? else {
        return Ok(None);
    };
    Ok(tree.images.iter().filter_map(Image::version).max())
}

/// The names of all tags, in order, each once.
///
/// Fails when one cannot be a tag's name.
pub(crate) fn names(repository: &Repository, puller: &Puller) -> anyhow::Result<Vec<String>> {
    let TagList { mut tags, odd } = puller.tag_list()?;
    if let Some(name) = odd.first() {
        bail!(
            "the registry lists `{name}` among the tags of `{repository}`, which cannot be a tag's \
             name; hint: check what answers at that address"
        );
    }
    tags.sort_unstable();
    Ok(tags)
}

/// The highest stable version that a repository lists.
pub(crate) fn highest(puller: &Puller) -> anyhow::Result<Option<Version>> {
    Ok(version::stable(&puller.tags()?).into_iter().max())
}
