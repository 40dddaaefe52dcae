//! The version of Node.js: the tag of every node image that the Dockerfile names, the variant kept, and its digest
//! anew. It moves when somebody names one: a major version is for people to decide.

use std::collections::BTreeMap;

use super::dockerfile::replaced;
use super::files::Files;
use super::image::{self, About};
use super::planned::Planned;
use super::row::Row;
use crate::base::{Base, Bases, NodeVersion};
use crate::ctx::Ctx;
use crate::refusal::Refusal;
use crate::stop::Stop;

const WHAT: &str = "Node.js";

/// The node images of a Dockerfile, and what each becomes.
struct Images {
    /// The version that the base says, or else the first of them.
    from: NodeVersion,
    /// Each old one with the new one, still without its digest.
    pairs: Vec<(Base, Base)>,
    /// The base, if it is one of them.
    base: Option<Base>,
}

/// The row alone: what is pinned, and with `is_asked` which major versions its registry has.
pub(super) fn show(ctx: &Ctx, files: &Files, is_asked: bool) -> anyhow::Result<Planned> {
    let (_, bases) = files.bases(&ctx.settings.dockerfile)?;
    let Some((base, version)) = bases.base.and_then(|base| {
        let version = base.node().ok()?;
        Some((base, version))
    }) else {
        return Ok(Planned::default());
    };
    let mut row = Row::unknown(WHAT, version.as_str());
    row.changes = "every layer; only `--node` moves it".into();
    if let Some(end) = version.end() {
        row = row.with_note(format!("{}; hint: {}", end.why, end.remedy));
    }
    if !is_asked || image::is_stand_in(ctx, &base)? {
        return Ok(Planned::of(row));
    }
    match newest(ctx, &base, &version) {
        Err(error) => Planned::unasked(row, "its registry", error),
        Ok(newest) => Ok(Planned::of(Row {
            newest: Some(newest.as_str().to_owned()),
            ..row
        })),
    }
}

/// The highest major version that has the base's variant; each one is asked for until one is absent.
fn newest(ctx: &Ctx, base: &Base, version: &NodeVersion) -> anyhow::Result<NodeVersion> {
    let mut newest = version.clone();
    for major in majors_after(version) {
        let next: NodeVersion = major.to_string().parse().map_err(anyhow::Error::msg)?;
        let other = base.with_node(&next).map_err(anyhow::Error::msg)?;
        if !image::exists(ctx, &other)? {
            break;
        }
        newest = next;
    }
    Ok(newest)
}

/// The major versions with long-term support after one; the odd ones before 27 have none.
fn majors_after(version: &NodeVersion) -> Vec<u32> {
    let major = version.as_str().split('.').next().unwrap_or_default();
    let major: u32 = major.parse().unwrap_or(u32::MAX);
    let next = (major.saturating_add(1))..=(major.saturating_add(20));
    next.filter(|major| major % 2 == 0 || *major >= 27)
        .collect()
}

/// Plans the move of every node image to `named`.
///
/// Fails when the Dockerfile names no node image in full, and when a registry has no such tag, or none for every
/// platform.
pub(super) fn plan(ctx: &Ctx, files: &Files, named: &NodeVersion) -> anyhow::Result<Planned> {
    let dockerfile = &ctx.settings.dockerfile;
    let text = files.text(dockerfile)?.unwrap_or_default();
    let images = images(&text, named).map_err(Stop::from)?;
    let mut row = Row::unknown(WHAT, images.from.as_str());
    row.newest = Some(named.as_str().to_owned());
    if images.pairs.is_empty() {
        return Ok(Planned::of(row.current()));
    }
    let mut new = BTreeMap::new();
    let mut changes = "every layer but Claude Code, settings and entrypoint".to_owned();
    for (old, to) in &images.pairs {
        let reference = match ask(ctx, to, images.base.as_ref() == Some(old)) {
            Err(error) => return Planned::unasked(row, "its registry", error),
            Ok(Some((reference, about))) => {
                if images.base.as_ref() == Some(old) {
                    let growth = about.growth(&image::pinned(ctx, old));
                    changes.extend(growth.map(|growth| format!("; {growth}")));
                }
                reference
            }
            Ok(None) => {
                row = row.with_note(format!(
                    "whether there is a `{}` was not asked: on the test bed stand-ins take its place, so no \
                     digest is pinned",
                    to.name()
                ));
                to.reference.clone()
            }
        };
        new.insert(old.reference.clone(), reference);
    }
    let end = named.end();
    row.notes.extend(end.map(|end| end.why));
    row.changes = changes;
    let mut planned = Planned::behind(row, named.as_str().to_owned(), None);
    planned.files = vec![(dockerfile.clone(), replaced(&text, &new).into_bytes())];
    Ok(planned)
}

/// The reference with its digest and what is known of it; none for what the test bed has a stand-in for.
fn ask(ctx: &Ctx, to: &Base, is_base: bool) -> anyhow::Result<Option<(String, About)>> {
    if image::is_stand_in(ctx, to)? {
        return Ok(None);
    }
    let refused = |why: String| {
        let remedy =
            "`--node` with a version whose image has this variant, as Docker Hub lists them";
        anyhow::Error::from(Stop::from(Refusal::new(why, remedy)))
    };
    let name = to.name();
    let found = image::find(ctx, to)?;
    let found = found.ok_or_else(|| refused(format!("there is no `{name}`")))?;
    if let Some(why) = found
        .about
        .lacks(&ctx.settings.platforms)
        .filter(|_| is_base)
    {
        return Err(refused(format!("`{name}` is not moved to: {why}")));
    }
    Ok(Some((format!("{name}@{}", found.digest), found.about)))
}

/// The node images that are to be another, each with its own variant (dependabot/feedback#811).
fn images(dockerfile: &str, named: &NodeVersion) -> Result<Images, Refusal> {
    let refused = |why: String| Refusal::new(why, "name `node:24-alpine` in FROM, in full");
    let bases = Bases::of(dockerfile).map_err(refused)?;
    let nodes = bases.all.iter().filter(|base| base.node().is_ok());
    let nodes: Vec<&Base> = nodes.collect();
    let of_base = bases.base.as_ref().and_then(|base| base.node().ok());
    let of_first = nodes.first().and_then(|first| first.node().ok());
    let from = of_base.or(of_first);
    let from =
        from.ok_or_else(|| refused("the Dockerfile names no image of Node.js".to_owned()))?;
    let mut pairs = Vec::new();
    for old in nodes {
        let new = old.with_node(named).map_err(refused)?;
        if new.name() != old.name() {
            pairs.push((old.clone(), new));
        }
    }
    Ok(Images {
        from,
        pairs,
        base: bases.base,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(version: &str) -> NodeVersion {
        version.parse().unwrap()
    }

    #[test]
    fn every_node_image_keeps_its_variant() {
        let digest = "a".repeat(64);
        let text = format!(
            "FROM node:20-alpine@sha256:{digest} AS system\nFROM node:20-slim AS tools\nFROM rust:1 AS r\n\
             FROM node:22-alpine AS n\nFROM system\n"
        );
        let images = images(&text, &node("22")).unwrap();
        assert_eq!(images.from, node("20"));
        let names = images
            .pairs
            .iter()
            .map(|(old, new)| (old.name(), &*new.reference));
        let expected = [
            ("node:20-alpine", "node:22-alpine"),
            ("node:20-slim", "node:22-slim"),
        ];
        assert_eq!(names.collect::<Vec<_>>(), expected);
        for text in ["FROM scratch\n", "FROM node\n", "FROM rust:1\n", ""] {
            let refusal = self::images(text, &node("22")).err().unwrap();
            assert_eq!(refusal.why, "the Dockerfile names no image of Node.js");
        }
    }

    #[test]
    fn odd_versions_are_left_out_as_long_as_they_get_no_long_term_support() {
        let first = |version: &str| majors_after(&node(version))[..4].to_vec();
        assert_eq!(first("20"), [22, 24, 26, 27]);
        assert_eq!(first("24.1.0"), [26, 27, 28, 29]);
        assert_eq!(first("21"), [22, 24, 26, 27]);
    }
}
