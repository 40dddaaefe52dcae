//! Asks what is the newest of that which published images are made of: the base's registry and npm, each once.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::Context as _;

use super::age::{Age, Newest};
use super::judge::{Finding, Severity};
use super::observe::{AuditedRepository, FOLLOWED};
use super::tag::AuditedTag;
use crate::base::Base;
use crate::claude_lock;
use crate::ctx::Ctx;
use crate::npm;
use crate::oci::Digest;
use crate::registry::Puller;
use crate::stop::Stop;
use crate::version::Version;

/// Gives each tag that counts its age: `latest`, `dev`, and the versions that are not withdrawn. The notes say who
/// could not be asked.
///
/// Fails after an interruption, and when git cannot be read.
pub(super) fn add_ages(
    ctx: &Ctx,
    repositories: &mut [AuditedRepository],
) -> anyhow::Result<Vec<Finding>> {
    let claude = claude_versions(ctx, repositories)?;
    let mut notes = Vec::new();
    let mut newest = Newest {
        now: SystemTime::now(),
        base: None,
        claude: None,
    };
    if let Some(base) = base(ctx, repositories)? {
        match newest_digest(ctx, &base) {
            Ok(found) => newest.base = Some((base.name().to_owned(), found)),
            Err(error) => notes.push(note("the base image", base.name(), error)?),
        }
    }
    if claude.values().any(Option::is_some) {
        match npm::newest(&ctx.exec) {
            Ok(found) => newest.claude = Some(found),
            Err(error) => notes.push(note("Claude Code", "npm", error)?),
        }
    }
    for facts in repositories {
        let age = |tag: &AuditedTag| {
            let pinned = revision(tag).and_then(|revision| claude.get(revision)?.clone());
            counts(facts, tag).then(|| Age::of(&tag.built, pinned, &newest))
        };
        let ages: Vec<Option<Age>> = facts.tags.iter().map(age).collect();
        for (tag, age) in facts.tags.iter_mut().zip(ages) {
            tag.age = age;
        }
    }
    Ok(notes)
}

/// Whether a tag is one whose age matters.
fn counts(facts: &AuditedRepository, tag: &AuditedTag) -> bool {
    let is_followed = FOLLOWED.contains(&&*tag.name);
    let is_image = tag.digest.is_some() && tag.odd.is_none();
    let version = tag.version();
    is_image && (is_followed || version.is_some_and(|version| facts.kept.counts(&version)))
}

/// The one commit that a tag is built from.
fn revision(tag: &AuditedTag) -> Option<&str> {
    let only = tag.revisions.first().filter(|_| tag.revisions.len() == 1);
    only.map(String::as_str)
}

/// The Claude Code that each commit pins, as this clone has it.
fn claude_versions(
    ctx: &Ctx,
    repositories: &[AuditedRepository],
) -> anyhow::Result<BTreeMap<String, Option<Version>>> {
    let mut versions = BTreeMap::new();
    for facts in repositories {
        for tag in facts.tags.iter().filter(|tag| counts(facts, tag)) {
            if let Some(revision) = revision(tag)
                && !versions.contains_key(revision)
            {
                let pinned = claude_lock::at(&ctx.root, revision)?;
                versions.insert(revision.to_owned(), pinned);
            }
        }
    }
    Ok(versions)
}

/// The Dockerfile's base, if an image says that it is made from a digest of it. No other registry is asked: a label
/// may name any.
fn base(ctx: &Ctx, repositories: &[AuditedRepository]) -> anyhow::Result<Option<Base>> {
    let base = Base::read(&ctx.root, &ctx.settings.dockerfile, None)?;
    let tags = repositories.iter().flat_map(|facts| &facts.tags);
    let mut named = tags
        .flat_map(|tag| &tag.built)
        .filter_map(|built| built.base());
    Ok(base.filter(|base| named.any(|name| name == base.name())))
}

/// What the base's tag leads to now.
fn newest_digest(ctx: &Ctx, base: &Base) -> anyhow::Result<Digest> {
    let (repository, tag) = base.place()?;
    crate::say::errln!("asking for `{}`", base.name());
    let digest = Puller::new(&ctx.exec, &repository).digest(tag)?;
    digest.with_context(|| format!("its registry has no `{}`", base.name()))
}

/// That something is not known; an interruption is no note.
fn note(what: &str, asked: &str, error: anyhow::Error) -> anyhow::Result<Finding> {
    if error.is::<Stop>() {
        return Err(error);
    }
    let why = format!("{error:#}");
    let (why, remedy) = why
        .split_once("; hint: ")
        .unwrap_or((&why, "audit again later"));
    Ok(Finding {
        severity: Severity::Note,
        reference: asked.to_owned(),
        why: format!("could not be asked, so whether {what} is behind is not known: {why}"),
        remedy: remedy.to_owned(),
    })
}
