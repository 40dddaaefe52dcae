//! What is released: a version of git's, its commit, and what git and its remote have against it.

use std::path::Path;
use std::time::Duration;

use super::plan::Refusal;
use crate::ctx::Ctx;
use crate::published::Wanted;
use crate::stop::Stop;
use crate::tags::{self, TagSet};
use crate::version::{self, Version};
use crate::{git, settings};

/// How long a git remote may take to name a tag.
const LIMIT: Duration = Duration::from_mins(1);

/// What git says.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// None where HEAD carries no version that can be released.
    pub(super) version: Option<Version>,
    pub(super) refusals: Vec<Refusal>,
    /// The image that the version must be.
    pub(super) wanted: Wanted,
}

impl Source {
    /// The version at HEAD, or the one asked for, wherever it is.
    ///
    /// Refused where git has no such version at all.
    pub(super) fn find(ctx: &Ctx, asked: Option<&Version>, remote: &str) -> anyhow::Result<Source> {
        let facts = git::read_facts(&ctx.root)?;
        if let Some(version) = asked
            && !facts.at_head.contains(&format!("v{version}"))
        {
            return Source::of(ctx, version, &facts, remote);
        }
        let set = tags::decide(ctx, &facts, asked)?;
        let mut refusals = against(&set, &facts, asked);
        let version = set.version.as_ref();
        let version: Option<Version> = version.and_then(|version| version.parse().ok());
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

    /// A version that was published, as its own tag has it.
    pub(super) fn published(ctx: &Ctx, version: &Version, remote: &str) -> anyhow::Result<Source> {
        let facts = git::read_facts(&ctx.root)?;
        let mut source = Source::of(ctx, version, &facts, remote)?;
        source.wanted.tag = format!("v{version}");
        source.wanted.reference = ctx.settings.repository.reference(&source.wanted.tag);
        Ok(source)
    }

    /// A version that is not at HEAD: nothing depends on the tree.
    fn of(
        ctx: &Ctx,
        version: &Version,
        facts: &git::Facts,
        remote: &str,
    ) -> anyhow::Result<Source> {
        let tag = format!("v{version}");
        if !version.build.is_empty() {
            return Err(Stop::Refused(format!(
                "`{tag}`: build metadata (`+…`) cannot be part of an image's tag\n  hint: release \
                 a version without it"
            ))
            .into());
        }
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
                "the clone is shallow: what it has of a version may not be all",
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

/// What the rules of tags have against a release.
fn against(set: &TagSet, facts: &git::Facts, asked: Option<&Version>) -> Vec<Refusal> {
    let own = set.version.as_ref().map(|version| format!("v{version}"));
    // `latest` that stays, as a prerelease's does, is no refusal.
    let withheld = set.withheld.iter();
    let withheld = withheld.filter(|tag| tag.is_refused || own.as_ref() == Some(&tag.name));
    let mut refusals: Vec<Refusal> = withheld
        .map(|tag| Refusal::new(format!("`{}`: {}", tag.name, tag.why), &*tag.remedy))
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
    let output = ctx.exec.within("git", &args, LIMIT)?;
    if !output.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let silence = if output.status.is_none() {
            "it does not answer"
        } else {
            "no reason given"
        };
        let said = said.trim().lines().next().unwrap_or(silence);
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
