//! The digests of the images that the Dockerfile names: what each tag leads to now is written beside it.
//!
//! `minimum-age` is not asked of them: a rebuilt image under the same tag is how fixes come, and waiting would ship
//! known holes; its date is also only what its builder says.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::anyhow;

use super::dockerfile::{familiar, replaced};
use super::files::Files;
use super::image::{self, About, Found};
use super::planned::{PassedOver, Planned};
use super::row::Row;
use crate::base::{Base, Bases};
use crate::ctx::Ctx;
use crate::day::age;
use crate::oci::Digest;
use crate::platform::Platform;

/// What is known of an image.
enum Answer {
    /// The test bed has a stand-in for it.
    StandIn,
    /// It is a digest and no tag: of which tag that was, nobody knows.
    Untagged,
    /// What the tag leads to, and what is pinned.
    Found(Found, About),
    /// Why nobody could say it.
    Unasked(anyhow::Error),
}

/// One name in the Dockerfile, with every reference that has it: they may differ in their digests.
struct Image<'a> {
    name: &'a str,
    references: Vec<&'a Base>,
    /// Whether the last stage is made from it.
    is_base: bool,
}

impl Image<'_> {
    /// Whether a line pins a digest of no tag. Without either, docker takes `latest`.
    fn is_untagged(&self) -> bool {
        let is_pinned = self.references.iter().any(|base| base.digest().is_some());
        is_pinned && self.references.iter().any(|base| !base.has_tag())
    }
}

/// Asks the registry of each image, and plans to pin what its tag leads to now.
///
/// Fails when the Dockerfile names what is no image.
pub(super) fn plan(ctx: &Ctx, files: &Files) -> anyhow::Result<Planned> {
    let dockerfile = &ctx.settings.dockerfile;
    let (text, bases) = files.bases(dockerfile)?;
    let mut planned = Planned::default();
    let mut new = BTreeMap::new();
    for image in images(&bases) {
        let answer = ask(ctx, &image)?;
        let (to, part) = plan_one(&image, answer, &ctx.settings.platforms, SystemTime::now())?;
        if let Some(to) = to {
            let references = image.references.iter().map(|base| base.reference.clone());
            new.extend(references.map(|old| (old, format!("{}@{to}", image.name))));
        }
        planned.extend(part);
    }
    if !new.is_empty() {
        let text = replaced(&text, &new);
        planned.files = vec![(dockerfile.clone(), text.into_bytes())];
    }
    Ok(planned)
}

/// Each name once, in the order of the Dockerfile.
fn images(bases: &Bases) -> Vec<Image<'_>> {
    let mut images: Vec<Image> = Vec::new();
    for base in &bases.all {
        let is_base = bases.base.as_ref() == Some(base);
        match images.iter_mut().find(|image| image.name == base.name()) {
            Some(image) => {
                image.is_base |= is_base;
                image.references.push(base);
            }
            None => images.push(Image {
                name: base.name(),
                references: vec![base],
                is_base,
            }),
        }
    }
    images
}

fn ask(ctx: &Ctx, image: &Image) -> anyhow::Result<Answer> {
    let base = image.references[0];
    if image::is_stand_in(ctx, base)? {
        return Ok(Answer::StandIn);
    }
    if image.is_untagged() {
        return Ok(Answer::Untagged);
    }
    Ok(match image::find(ctx, base) {
        Err(error) => Answer::Unasked(error),
        Ok(None) => Answer::Unasked(anyhow!(
            "there is no `{}`; hint: name a tag that there is in the Dockerfile",
            image.name
        )),
        Ok(Some(found)) if base.digest() == Some(&found.digest) => {
            let before = found.about.clone();
            Answer::Found(found, before)
        }
        Ok(Some(found)) => Answer::Found(found, image::pinned(ctx, base)),
    })
}

/// What is planned, and the digest to pin; none when nothing moves.
///
/// Fails when asking ended with a [`Stop`](crate::stop::Stop).
fn plan_one(
    image: &Image,
    answer: Answer,
    platforms: &[Platform],
    now: SystemTime,
) -> anyhow::Result<(Option<Digest>, Planned)> {
    let row = Row::unknown(what(image), pins(image));
    let (found, before) = match answer {
        Answer::Unasked(error) => return Ok((None, Planned::unasked(row, "its registry", error)?)),
        Answer::StandIn => {
            let row = row.with_note(
                "not asked: on the test bed its stand-in takes its place, which is never pinned",
            );
            return Ok((None, Planned::of(row)));
        }
        Answer::Untagged => {
            let note = format!(
                "it names a digest and no tag, so what is newer is not known; hint: `{}:TAG@sha256:…`",
                image.name
            );
            return Ok((None, Planned::of(row.with_note(note))));
        }
        Answer::Found(found, before) => (found, before),
    };
    let mut row = Row {
        newest: Some(found.digest.short().to_owned()),
        ..row
    };
    let is_pinned = image.references.iter().any(|base| base.digest().is_some());
    let pinned = if is_pinned { &before } else { &found.about };
    row.age_days = pinned.created.map(|time| age(time, now));
    let is_current = |base: &&Base| base.digest() == Some(&found.digest);
    if image.references.iter().all(is_current) {
        return Ok((None, Planned::of(row.current())));
    }
    if let Some(why) = found.about.lacks(platforms).filter(|_| image.is_base) {
        return Ok((None, passed_over(row, &found.digest, &why)));
    }
    if !is_pinned {
        let note = "no digest is pinned: each build may take another image";
        row = row.with_note(note);
    }
    row.changes = changes(image, &found.about, &before);
    row.remedy = Some("`cargo xtask update bases`".to_owned());
    let made = found.about.day().map(|day| format!("made on {day}"));
    let planned = Planned::behind(row, found.digest.short().to_owned(), made);
    Ok((Some(found.digest), planned))
}

/// A newer image that lacks a platform.
fn passed_over(row: Row, digest: &Digest, why: &str) -> Planned {
    let version = digest.short().to_owned();
    let what = row.what.clone();
    let note = format!("{version} is passed over: {why}");
    let mut planned = Planned::of(row.with_note(note));
    planned.passed_over.push(PassedOver {
        what,
        version,
        why: why.to_owned(),
    });
    planned
}

/// What a rebuild changes, with the sizes of the base.
fn changes(image: &Image, found: &About, before: &About) -> String {
    let layers = if image.is_base {
        "every layer but Claude Code, settings and entrypoint"
    } else {
        "what is made with it, if that comes out different"
    };
    match found.growth(before).filter(|_| image.is_base) {
        Some(growth) => format!("{layers}; {growth}"),
        None => layers.to_owned(),
    }
}

fn what(image: &Image) -> String {
    format!("image {}", familiar(image.name))
}

/// The digest that all references pin, in short.
fn pins(image: &Image) -> String {
    let first = image.references[0].digest();
    match first {
        _ if image.references.iter().any(|base| base.digest() != first) => {
            "several digests".to_owned()
        }
        Some(digest) => digest.short().to_owned(),
        None => "no digest".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(digit: &str) -> Digest {
        format!("sha256:{}", digit.repeat(64)).parse().unwrap()
    }

    fn about(day: &str, platforms: &[Platform]) -> About {
        About {
            created: humantime::parse_rfc3339(&format!("2026-11-{day}T00:00:00Z")).ok(),
            sizes: platforms
                .iter()
                .map(|platform| (*platform, 50_000_000))
                .collect(),
        }
    }

    fn found(platforms: &[Platform]) -> Answer {
        let found = Found {
            digest: digest("2"),
            about: about("25", platforms),
        };
        Answer::Found(found, about("20", platforms))
    }

    fn planned(text: &str, answer: Answer) -> (Option<Digest>, Planned) {
        let bases = Bases::of(text).unwrap();
        let images = images(&bases);
        let now = humantime::parse_rfc3339("2026-11-29T00:00:00Z").unwrap();
        plan_one(&images[0], answer, &Platform::ALL, now).unwrap()
    }

    #[test]
    fn an_image_is_behind_unless_every_line_pins_what_its_tag_leads_to() {
        let [one, two] = ["1", "2"].map(digest);
        for (text, pinned, is_behind, age) in [
            ("FROM node:20\n".to_owned(), "no digest", true, 4),
            (format!("FROM node:20@{one}\n"), "111111111111", true, 9),
            (format!("FROM node:20@{two}\n"), "222222222222", false, 9),
            // Bots have pinned one of several lines (renovatebot/renovate#20625).
            (
                format!("FROM node:20@{two} AS a\nFROM node:20 AS b\nFROM b\n"),
                "several digests",
                true,
                9,
            ),
        ] {
            let (to, planned) = planned(&text, found(&Platform::ALL));
            let row = &planned.rows[0];
            assert_eq!((&*row.what, &*row.pinned), ("image node:20", pinned));
            assert_eq!(row.is_behind, Some(is_behind), "{text}");
            assert_eq!(row.age_days, Some(age), "{text}");
            assert_eq!(to, is_behind.then(|| digest("2")), "{text}");
            assert_eq!(planned.moves.len(), usize::from(is_behind), "{text}");
            assert_eq!(row.remedy.is_some(), is_behind, "{text}");
        }
    }

    #[test]
    fn the_move_says_digests_day_and_sizes() {
        let text = format!("FROM docker.io/library/node:20@{}\n", digest("1"));
        let (_, planned) = planned(&text, found(&Platform::ALL));
        assert_eq!(
            planned.message().unwrap(),
            "Move image node:20 from 111111111111 to 222222222222\n\n\
             image node:20: 111111111111 → 222222222222, made on 2026-11-25.\n\
             A rebuild changes every layer but Claude Code, settings and entrypoint; compressed: \
             amd64 50.0 MB → 50.0 MB, arm64 50.0 MB → 50.0 MB.\n"
        );
    }

    #[test]
    fn a_digest_without_a_tag_stays() {
        let one = digest("1");
        for (text, is_untagged) in [
            (format!("FROM node@{one}\n"), true),
            (format!("FROM localhost:5000/node@{one}\n"), true),
            (format!("FROM node\nFROM node@{one}\n"), true),
            ("FROM node\n".to_owned(), false),
            (format!("FROM localhost:5000/node:20@{one}\n"), false),
        ] {
            let bases = Bases::of(&text).unwrap();
            assert_eq!(images(&bases)[0].is_untagged(), is_untagged, "{text}");
        }
        let (to, planned) = planned(&format!("FROM node@{one}\n"), Answer::Untagged);
        assert_eq!((to, planned.rows[0].is_behind), (None, None));
        assert!(planned.rows[0].notes[0].contains("`node:TAG@sha256:…`"));
    }

    /// A bot pinned the manifest of one platform (dependabot/dependabot-core#8609).
    #[test]
    fn the_base_is_pinned_for_every_platform_or_not_at_all() {
        let (to, planned) = planned("FROM node:20\n", found(&Platform::ALL[..1]));
        assert_eq!((to, planned.moves.len()), (None, 0));
        assert_eq!(planned.rows[0].is_behind, None);
        let note = "222222222222 is passed over: it is not for linux/arm64";
        assert_eq!(planned.rows[0].notes, [note]);
        assert_eq!(planned.passed_over.len(), 1);
        // The compiler's image runs on the machine that builds.
        let text = "FROM rust:1 AS a\nFROM scratch\n";
        let (to, _) = self::planned(text, found(&Platform::ALL[..1]));
        assert_eq!(to, Some(digest("2")));
    }

    #[test]
    fn a_stand_in_is_never_pinned_and_a_silent_registry_is_no_proof() {
        let (to, planned) = planned("FROM node:20\n", Answer::StandIn);
        assert_eq!(
            (to, planned.moves.len(), planned.unasked.len()),
            (None, 0, 0)
        );
        assert!(planned.rows[0].notes[0].contains("never pinned"));
        let (to, planned) = self::planned("FROM node:20\n", Answer::Unasked(anyhow!("no route")));
        assert_eq!((to, planned.moves.len()), (None, 0));
        assert_eq!(
            planned.unasked,
            ["image node:20: its registry could not be asked: no route"]
        );
    }
}
