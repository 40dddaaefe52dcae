//! What is released: a version in git, its commit, and the refusals that come from git and its
//! remote.

use std::path::Path;

use crate::ctx::Ctx;
use crate::git::RemoteTag;
use crate::published::Wanted;
use crate::refusal::Refusal;
use crate::stop::Stop;
use crate::tags::{self, TagSet};
use crate::version::{self, Version, check_taggable};
use crate::{git, settings};

/// What git says.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// None when HEAD carries no version that can be released.
    pub(super) version: Option<Version>,
    pub(super) refusals: Vec<Refusal>,
    /// The image that the version must name.
    pub(super) wanted: Wanted,
}

impl Source {
    /// The version at HEAD, or the one asked for, wherever it is.
    ///
    /// Fails when git has no such version.
    pub(super) fn find(ctx: &Ctx, asked: Option<&Version>, remote: &str) -> anyhow::Result<Source> {
        let facts = git::read_facts(&ctx.root)?;
        if let Some(version) = asked
            && !facts.at_head.contains(&format!("v{version}"))
        {
            return Source::of(ctx, version, &facts, remote);
        }
        let set = tags::decide(ctx, &facts, asked)?;
        let mut refusals = of_tags(&set, &facts, asked);
        let version = set.version;
        let revision = facts.head.revision.clone();
        if let Some(version) = &version {
            refusals.extend(on_remote(ctx, version, &revision, remote)?);
        }
        Ok(Source {
            version,
            refusals,
            wanted: wanted(ctx, revision),
        })
    }

    /// A version that is published, found by its own tag.
    pub(super) fn published(ctx: &Ctx, version: &Version, remote: &str) -> anyhow::Result<Source> {
        let facts = git::read_facts(&ctx.root)?;
        let mut source = Source::of(ctx, version, &facts, remote)?;
        source.wanted.tag = format!("v{version}");
        source.wanted.reference = ctx.settings.repository.reference(&source.wanted.tag);
        Ok(source)
    }

    /// A version that is not at HEAD, so that nothing depends on the tree.
    fn of(
        ctx: &Ctx,
        version: &Version,
        facts: &git::Facts,
        remote: &str,
    ) -> anyhow::Result<Source> {
        let tag = format!("v{version}");
        check_taggable(version).map_err(|refused| {
            let version::Untaggable { why, instead } = refused;
            Stop::Refused(format!("`{tag}`: {why}\n  hint: release `{instead}`"))
        })?;
        if !facts.versions.contains(version) {
            return Err(Stop::Refused(format!(
                "git has no tag `{tag}`\n  hint: `git fetch {remote} --tags`, or `git tag --list \
                 'v*'` shows what there is"
            ))
            .into());
        }
        let revision = git::tagged(&ctx.root, version)?;
        let mut refusals = Vec::new();
        if facts.shallow {
            refusals.push(Refusal::new(
                "the clone is shallow, so commits and tags may be missing",
                "`git fetch --unshallow --tags` (`fetch-depth: 0` for actions/checkout)",
            ));
        }
        let manifest = git::file(&ctx.root, &revision, Path::new("Cargo.toml"))?;
        let manifest = manifest.map(|text| String::from_utf8_lossy(&text).into_owned());
        let own = manifest.and_then(|text| settings::own_version(&text));
        if let Some(own) = own.filter(|own| *own != version.to_string()) {
            refusals.push(Refusal::new(
                format!("the git tag says `{version}`, Cargo.toml of its commit says `{own}`"),
                format!("tag the commit that says `{version}`; or `git tag -d {tag}`"),
            ));
        }
        refusals.extend(on_remote(ctx, version, &revision, remote)?);
        Ok(Source {
            version: Some(version.clone()),
            refusals,
            wanted: wanted(ctx, revision),
        })
    }
}

/// The image of a commit.
fn wanted(ctx: &Ctx, revision: String) -> Wanted {
    let tag = tags::sha_name(&revision);
    Wanted {
        reference: ctx.settings.repository.reference(&tag),
        tag,
        platforms: ctx.settings.platforms.clone(),
        revision,
    }
}

/// The refusals that follow from the tags that HEAD may carry.
fn of_tags(set: &TagSet, facts: &git::Facts, asked: Option<&Version>) -> Vec<Refusal> {
    let own = set.version.as_ref().map(|version| format!("v{version}"));
    // `latest` may stay, as for a prerelease: that is not a refusal.
    let withheld = set.withheld.iter();
    let withheld = withheld.filter(|tag| tag.is_refused || own.as_ref() == Some(&tag.name));
    let mut refusals: Vec<Refusal> = withheld
        .map(|tag| {
            let Refusal { why, remedy } = &tag.reason;
            // The version's own tag is withheld from a dirty tree before anything else.
            let is_own = own.as_ref() == Some(&tag.name);
            let paths = is_own.then(|| differing(&facts.head.dirty));
            let paths = paths.unwrap_or_default();
            Refusal::new(format!("`{}`: {why}{paths}", tag.name), &**remedy)
        })
        .collect();
    let at_head = facts.at_head.iter();
    let versions: Vec<&String> = at_head
        .filter(|name| version::of_tag(name).is_some())
        .collect();
    if versions.len() > 1 && asked.is_none() {
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
            .map(|(name, why)| format!("; `{name}` is not one: {why}"))
            .collect();
        refusals.push(Refusal::new(
            format!("no git tag at HEAD is a version{misses}"),
            "`git checkout vX.Y.Z`, or `git tag -a vX.Y.Z && git push origin vX.Y.Z` with the \
             version that Cargo.toml says",
        ));
    }
    refusals
}

/// The paths that make the tree dirty, in parentheses: the first ones, and how many more there are.
fn differing(paths: &[String]) -> String {
    const SHOWN: usize = 5;
    if paths.is_empty() {
        return String::new();
    }
    let shown: Vec<String> = paths
        .iter()
        .take(SHOWN)
        .map(|path| format!("`{path}`"))
        .collect();
    let more = match paths.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(" ({}{more})", shown.join(", "))
}

/// The refusal that comes from the remote: everyone must be able to find the commit of a version.
fn on_remote(
    ctx: &Ctx,
    version: &Version,
    revision: &str,
    remote: &str,
) -> anyhow::Result<Option<Refusal>> {
    let id = match git::remote_tag(&ctx.exec, remote, version)? {
        RemoteTag::Unknown(why) => {
            return Ok(Some(Refusal::new(
                format!("the git remote `{remote}` cannot be asked for `v{version}`: {why}"),
                format!("`git ls-remote {remote}` must work; `--remote NAME` names another"),
            )));
        }
        RemoteTag::At(id) => id,
    };
    Ok(remote_refusal(id.as_deref(), version, revision, remote))
}

/// Judges the commit that a tag leads to on the remote; none when the remote lacks the tag.
fn remote_refusal(
    id: Option<&str>,
    version: &Version,
    revision: &str,
    remote: &str,
) -> Option<Refusal> {
    let Some(id) = id else {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_that_make_the_tree_dirty_are_named() {
        let paths = |count: usize| -> Vec<String> {
            (0..count)
                .map(|number| format!("receipts/{number}"))
                .collect()
        };
        assert_eq!(differing(&paths(0)), "");
        assert_eq!(differing(&paths(2)), " (`receipts/0`, `receipts/1`)");
        let many = differing(&paths(9));
        assert!(many.ends_with("`receipts/4` and 4 more)"), "{many}");
    }

    #[test]
    fn the_remote_must_have_the_tag_at_the_same_commit() {
        let version = Version::new(1, 2, 3);
        let judge = |id: Option<&str>| {
            let refusal = remote_refusal(id, &version, "c1", "origin");
            refusal.map(|refusal| format!("{}; hint: {}", refusal.why, refusal.remedy))
        };
        assert_eq!(judge(Some("c1")), None);
        let missing = judge(None).unwrap();
        assert!(missing.contains("`git push origin v1.2.3`"), "{missing}");
        let moved = judge(Some("c2")).unwrap();
        assert!(moved.contains("leads to `c2`"), "{moved}");
    }
}
