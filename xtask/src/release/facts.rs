//! What a release depends on: git, its remote, the registry and the receipts, as plain data.

use std::path::Path;

use anyhow::Context as _;
use clap::ValueEnum;

use super::plan::Refusal;
use crate::ctx::Ctx;
use crate::git;
use crate::image::{Found, Wanted, look};
use crate::oci::Digest;
use crate::platform::Platform;
use crate::reference::Repository;
use crate::registry::Registry;
use crate::tags::{self, TagSet};
use crate::tree::{Image, Tree};
use crate::verify::{self, Candidate};
use crate::version::{self, Name, Version};

/// What is wanted of `latest`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Wish {
    /// It moves if it may
    Auto,
    /// If it may not move, nothing is released
    Require,
    /// It stays
    Never,
}

/// Everything that a release is decided on.
#[derive(Debug)]
pub(super) struct Facts {
    /// None where HEAD carries no version that can be released.
    pub(super) version: Option<Version>,
    /// What git and its remote have against it.
    pub(super) git: Vec<Refusal>,
    /// What the commit's `sha-…` tag must lead to.
    pub(super) wanted: Wanted,
    /// What it leads to.
    pub(super) image: Found,
    /// Attestations that the index names and the registry lacks.
    pub(super) lost: Vec<Digest>,
    pub(super) published: Published,
    /// Platforms without a receipt that holds, each with the reason.
    pub(super) lacking: Vec<(Platform, String)>,
    /// Receipts come from elsewhere, so that nothing is verified now.
    pub(super) are_receipts_given: bool,
    pub(super) wish: Wish,
}

/// What the registry has of versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Published {
    /// What the tag of the version to release leads to.
    pub(super) tag: Option<Digest>,
    /// The highest stable version but for that one.
    pub(super) highest: Option<(Version, Digest)>,
    pub(super) latest: Option<Latest>,
}

/// What `latest` leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Latest {
    pub(super) digest: Digest,
    /// The version whose tag leads there too, or else what the image says to be.
    pub(super) version: Option<Version>,
}

/// What was asked for on the command line.
pub(super) struct Asked<'a> {
    pub(super) version: Option<&'a Version>,
    pub(super) receipts: &'a Path,
    pub(super) are_receipts_given: bool,
    pub(super) remote: &'a str,
    pub(super) wish: Wish,
}

/// What git says: the version to release, the commit, and what stands against it.
pub(super) struct Local {
    pub(super) version: Option<Version>,
    pub(super) refusals: Vec<Refusal>,
    pub(super) repository: Repository,
    pub(super) wanted: Wanted,
}

pub(super) fn local(ctx: &Ctx, asked: &Asked) -> anyhow::Result<Local> {
    let facts = git::read_facts(&ctx.root)?;
    let set = tags::decide(ctx, &facts, asked.version)?;
    let tag = tags::sha_name(&facts.head);
    let mut refusals = against(&set, &facts, asked);
    let version = set
        .version
        .as_ref()
        .and_then(|version| version.parse().ok());
    if let Some(version) = &version {
        refusals.extend(on_remote(ctx, version, &facts.head.revision, asked.remote)?);
    }
    Ok(Local {
        version,
        refusals,
        repository: ctx.settings.repository.clone(),
        wanted: Wanted {
            reference: ctx.settings.repository.reference(&tag),
            tag,
            platforms: ctx.settings.platforms.clone(),
            revision: facts.head.revision.clone(),
        },
    })
}

/// What the rules of tags have against a release.
fn against(set: &TagSet, facts: &git::Facts, asked: &Asked) -> Vec<Refusal> {
    let own = set.version.as_ref().map(|version| format!("v{version}"));
    // `latest` that stays, as a prerelease's does, is no refusal.
    let withheld = set.withheld.iter();
    let withheld = withheld.filter(|tag| tag.is_refused || own.as_ref() == Some(&tag.name));
    let mut refusals: Vec<Refusal> = withheld
        .map(|tag| Refusal::new(format!("`{}`: {}", tag.name, tag.why), &*tag.remedy))
        .collect();
    let at_head = facts.at_head.iter();
    let versions: Vec<&String> = at_head
        .filter(|name| matches!(version::read(name), Name::Version(_)))
        .collect();
    if versions.len() > 1 && asked.version.is_none() {
        let names: Vec<String> = versions.iter().map(|name| format!("`{name}`")).collect();
        refusals.push(Refusal::new(
            format!("HEAD carries several versions: {}", names.join(", ")),
            "`--version X.Y.Z` says which one to release",
        ));
    }
    if set.version.is_none() && refusals.is_empty() {
        let misses = facts.at_head.iter();
        let misses = misses.filter_map(|name| Some((name, facts.near_misses.get(name)?)));
        let misses: String = misses
            .map(|(name, why)| format!("; `{name}` is none: {why}"))
            .collect();
        refusals.push(Refusal::new(
            format!("no git tag at HEAD is a version{misses}"),
            "`git checkout vX.Y.Z`, or `git tag -a vX.Y.Z && git push origin vX.Y.Z` with the \
             version that Cargo.toml says",
        ));
    }
    refusals
}

/// What the remote has against it: everyone must be able to find the commit of a version.
fn on_remote(
    ctx: &Ctx,
    version: &Version,
    revision: &str,
    remote: &str,
) -> anyhow::Result<Option<Refusal>> {
    let name = format!("refs/tags/v{version}");
    let peeled = format!("{name}^{{}}");
    ctx.exec.set_var("GIT_TERMINAL_PROMPT", "0");
    let args = ["ls-remote", remote, &name, &peeled];
    let output = ctx.exec.output("git", &args)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().next().unwrap_or("no reason given");
        return Ok(Some(Refusal::new(
            format!("the git remote `{remote}` cannot be asked for `v{version}`: {said}"),
            format!("`git ls-remote {remote}` must work; `--remote NAME` names another"),
        )));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(remote_refusal(&text, version, revision, remote))
}

/// Judges what `git ls-remote` says of a tag: a line for it, and one for what it leads to when it
/// is annotated.
fn remote_refusal(text: &str, version: &Version, revision: &str, remote: &str) -> Option<Refusal> {
    // The line of what it leads to comes last.
    let line = text.lines().rfind(|line| line.contains("refs/tags/"));
    let Some((id, _)) = line.and_then(|line| line.split_once('\t')) else {
        return Some(Refusal::new(
            format!("the git tag `v{version}` is not on the remote `{remote}`"),
            format!("`git push {remote} v{version}`"),
        ));
    };
    (id != revision).then(|| {
        Refusal::new(
            format!(
                "the git tag `v{version}` leads to `{id}` on the remote `{remote}`, and to \
                 `{revision}` here"
            ),
            format!(
                "`git fetch {remote} tag v{version} --force` takes the remote's; a tag that was \
                 published should not move: release a higher version"
            ),
        )
    })
}

/// Asks the registry and reads the receipts.
pub(super) fn observe(local: &Local, asked: &Asked, registry: &Registry) -> anyhow::Result<Facts> {
    let image = look(registry, &local.wanted.tag)?;
    let mut lost = Vec::new();
    let mut lacking = Vec::new();
    if let Found::There(tree) = &image {
        for attestation in &tree.attestations {
            let digest = &attestation.descriptor.digest;
            if registry.manifest(digest.as_str())?.is_none() {
                lost.push(digest.clone());
            }
        }
        lacking = lacks(tree, local, asked);
    }
    let published = match &local.version {
        Some(version) => published(registry, version)?,
        None => Published::default(),
    };
    Ok(Facts {
        version: local.version.clone(),
        git: local.refusals.clone(),
        wanted: local.wanted.clone(),
        image,
        lost,
        published,
        lacking,
        are_receipts_given: asked.are_receipts_given,
        wish: asked.wish,
    })
}

fn lacks(tree: &Tree, local: &Local, asked: &Asked) -> Vec<(Platform, String)> {
    let platforms = local.wanted.platforms.iter();
    let images = platforms.filter_map(|&platform| {
        let image = *tree.images_for(platform).first()?;
        Some((platform, image.digest()))
    });
    let candidate = Candidate {
        name: &local.repository.by_digest(&tree.digest),
        digest: &tree.digest,
        is_index: tree.is_index(),
        images: images.collect(),
        revision: &local.wanted.revision,
    };
    verify::lacking(asked.receipts, &candidate)
}

/// What the registry has of versions, now.
pub(super) fn published(registry: &Registry, version: &Version) -> anyhow::Result<Published> {
    let digest = |tag: &str| -> anyhow::Result<Option<Digest>> {
        Ok(registry.manifest(tag)?.map(|(digest, _)| digest))
    };
    let tags = registry.tags()?;
    let versions = tags.iter().filter_map(|tag| match version::read(tag) {
        Name::Version(other) if other.pre.is_empty() && other != *version => Some(other),
        _ => None,
    });
    let highest = match versions.max() {
        Some(highest) => {
            let found = digest(&format!("v{highest}"))?;
            let found = found.with_context(|| {
                format!(
                    "the registry lists `v{highest}` and has nothing under it; hint: delete the \
                     tag, or ask its operator"
                )
            })?;
            Some((highest, found))
        }
        None => None,
    };
    let tag = digest(&format!("v{version}"))?;
    let latest = match digest("latest")? {
        Some(at) => Some(Latest {
            version: match &highest {
                _ if Some(&at) == tag.as_ref() => Some(version.clone()),
                Some((highest, theirs)) if *theirs == at => Some(highest.clone()),
                _ => labelled(registry, &at)?,
            },
            digest: at,
        }),
        None => None,
    };
    Ok(Published {
        tag,
        highest,
        latest,
    })
}

/// The version that an image says to be; none where it says none, or is no whole image.
fn labelled(registry: &Registry, digest: &Digest) -> anyhow::Result<Option<Version>> {
    let Found::There(tree) = look(registry, digest.as_str())? else {
        return Ok(None);
    };
    Ok(tree.images.iter().filter_map(Image::version).max())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remote_must_have_the_tag_at_the_same_commit() {
        let version = Version::new(1, 2, 3);
        let said = |text: &str| {
            let refusal = remote_refusal(text, &version, "c1", "origin");
            refusal.map(|refusal| format!("{}; hint: {}", refusal.why, refusal.remedy))
        };
        assert_eq!(said("c1\trefs/tags/v1.2.3\n"), None);
        assert_eq!(
            said("t1\trefs/tags/v1.2.3\nc1\trefs/tags/v1.2.3^{}\n"),
            None
        );
        let missing = said("").unwrap();
        assert!(missing.contains("`git push origin v1.2.3`"), "{missing}");
        let moved = said("t1\trefs/tags/v1.2.3\nc2\trefs/tags/v1.2.3^{}\n").unwrap();
        assert!(moved.contains("leads to `c2`"), "{moved}");
    }
}
