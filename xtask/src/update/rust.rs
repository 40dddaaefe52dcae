//! The compiler, in all its places together: the tag of the Rust image that compiles the entrypoint, `rust-version`
//! of the workspace and the toolchain. They go to the newest stable version that has an image: bots that ask elsewhere
//! propose one that has none yet (dani-garcia/vaultwarden#5374), or move one place alone (bitwarden/sdk-internal#568).

mod tags;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use self::tags::{RustTag, newest, release, written};
use super::dockerfile::{familiar, replaced};
use super::files::Files;
use super::image::{self, Found};
use super::planned::Planned;
use super::row::Row;
use super::setting::Setting;
use crate::base::Base;
use crate::ctx::Ctx;
use crate::version::Version;

const WHAT: &str = "Rust";

/// Where else the version is, besides the Dockerfile: the file, and the keys of the text in it.
pub(super) const SETTINGS: [(&str, &[&str]); 2] = [
    ("Cargo.toml", &["workspace", "package", "rust-version"]),
    ("rust-toolchain.toml", &["toolchain", "channel"]),
];

/// Whether a text is a version that a place may have.
pub(super) fn is_release(text: &str) -> bool {
    release(text).is_some()
}

/// A file that has the version.
struct Place {
    path: PathBuf,
    text: String,
    /// Where the version is in it.
    setting: Setting,
    release: Version,
    /// Whether the last number is left out.
    is_short: bool,
}

/// Every place of the version.
struct Places<'a> {
    dockerfile: &'a Path,
    text: String,
    /// The references in the Dockerfile that have the tag.
    images: Vec<Base>,
    tag: RustTag,
    settings: Vec<Place>,
}

/// The newest version, and the image to compile with; none where its tag stays.
struct Newest {
    release: Version,
    image: Option<(Base, Found)>,
}

/// Asks for the tags of the Rust image, and plans the move of all places.
///
/// Fails when a file cannot be read.
pub(super) fn plan(ctx: &Ctx, files: &Files) -> anyhow::Result<Planned> {
    let Some(places) = Places::read(&ctx.settings.dockerfile, files)? else {
        return Ok(Planned::default());
    };
    let row = Row::unknown(WHAT, places.highest().to_string());
    if image::is_stand_in(ctx, &places.images[0])? {
        let note = "not asked: on the test bed a stand-in takes the place of its image";
        return Ok(Planned::of(row.with_note(note)));
    }
    match ask(ctx, &places) {
        Err(error) => Planned::unasked(row, "its registry", error),
        Ok(newest) => Ok(planned(&places, &newest)),
    }
}

impl Places<'_> {
    /// None where the Dockerfile names no image of Rust in full.
    ///
    /// Fails when a file cannot be read.
    fn read<'a>(dockerfile: &'a Path, files: &Files) -> anyhow::Result<Option<Places<'a>>> {
        let (text, bases) = files.bases(dockerfile)?;
        let mut rust = bases
            .all
            .iter()
            .filter_map(|base| Some((base, tag_of(base)?)));
        let Some((first, tag)) = rust.next() else {
            return Ok(None);
        };
        let same = bases.all.iter().filter(|base| base.name() == first.name());
        let images = same.cloned().collect();
        let mut settings = Vec::new();
        for (path, keys) in SETTINGS {
            let text = files.text(Path::new(path))?.unwrap_or_default();
            let setting = Setting::find(&text, keys);
            let setting = setting.with_context(|| format!("failed to read `{path}`"))?;
            // `stable` is no version, and moves by itself.
            let found = setting.and_then(|setting| Some((release(&setting.value)?, setting)));
            if let Some(((release, is_short), setting)) = found {
                settings.push(Place {
                    path: path.into(),
                    text,
                    setting,
                    release,
                    is_short,
                });
            }
        }
        Ok(Some(Places {
            dockerfile,
            text,
            images,
            tag,
            settings,
        }))
    }

    fn releases(&self) -> impl Iterator<Item = &Version> {
        let settings = self.settings.iter().map(|place| &place.release);
        settings.chain([&self.tag.release])
    }

    fn highest(&self) -> Version {
        self.releases()
            .max()
            .cloned()
            .unwrap_or_else(|| self.tag.release.clone())
    }

    /// The other files with the release in place of a lower one, and the release that the lowest of them had.
    fn moved(&self, to: &Version) -> (Vec<(PathBuf, Vec<u8>)>, Option<&Version>) {
        let lower = self.settings.iter().filter(|place| {
            let to = release(&written(to, place.is_short));
            to.is_some_and(|(to, _)| place.release < to)
        });
        let lower: Vec<&Place> = lower.collect();
        let files = lower.iter().map(|place| {
            let new = written(to, place.is_short);
            let text = place.setting.replaced(&place.text, &new);
            (place.path.clone(), text.into_bytes())
        });
        let lowest = lower.iter().map(|place| &place.release).min();
        (files.collect(), lowest)
    }
}

/// The tag of an image of Rust.
fn tag_of(base: &Base) -> Option<RustTag> {
    let (repository, tag) = base.place().ok()?;
    let is_rust = repository.path().rsplit('/').next() == Some("rust");
    RustTag::parse(tag).filter(|_| is_rust)
}

/// The newest release, and the digest of its image where that has another tag.
fn ask(ctx: &Ctx, places: &Places) -> anyhow::Result<Newest> {
    let image = &places.images[0];
    let (repository, _) = image.place()?;
    let newest = newest(&places.tag, &image::tags(ctx, image)?);
    let (release, tag) = newest.with_context(|| {
        format!(
            "`{repository}` lists no tag like `{}`; hint: name one that it has in the Dockerfile",
            places.tag
        )
    })?;
    if tag.release <= places.tag.release {
        return Ok(Newest {
            release,
            image: None,
        });
    }
    let new = Base::parse(&format!("{repository}:{tag}")).map_err(anyhow::Error::msg)?;
    let found = image::find(ctx, &new)?;
    let found =
        found.with_context(|| format!("its registry lists `{}`, and lacks it", new.name()))?;
    Ok(Newest {
        release,
        image: Some((new, found)),
    })
}

fn planned(places: &Places, newest: &Newest) -> Planned {
    let to = &newest.release;
    let (mut files, mut lowest) = places.moved(to);
    if let Some((new, found)) = &newest.image {
        let reference = format!("{}@{}", new.name(), found.digest);
        let old = places.images.iter().map(|old| old.reference.clone());
        let new: BTreeMap<_, _> = old.map(|old| (old, reference.clone())).collect();
        let text = replaced(&places.text, &new).into_bytes();
        files.push((places.dockerfile.to_owned(), text));
        lowest = lowest.into_iter().chain([&places.tag.release]).min();
    }
    let highest = places.highest();
    let Some(lowest) = lowest else {
        return Planned::of(Row {
            newest: Some(highest.clone().max(to.clone()).to_string()),
            ..Row::unknown(WHAT, highest.to_string()).current()
        });
    };
    // Where a place lags behind, it is what moves.
    let from = if highest < *to { &highest } else { lowest };
    let row = Row {
        changes: "the entrypoint, if it compiles to other bytes".to_owned(),
        remedy: Some("`cargo xtask update rust`".to_owned()),
        ..Row::unknown(WHAT, from.to_string())
    };
    let made = newest.image.as_ref().map(|(image, found)| {
        let name = familiar(image.name());
        match found.about.day() {
            Some(day) => format!("with `{name}`, made on {day}"),
            None => format!("with `{name}`"),
        }
    });
    Planned {
        files,
        ..Planned::behind(row, to.to_string(), made)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oci::Digest;

    const DOCKERFILE: &str =
        "FROM node:20\nFROM --platform=$B docker.io/library/rust:1.95-alpine3.23 AS r # x\n";

    /// Places with this tag, `rust-version` and toolchain.
    fn places(files: &Files) -> Option<Places<'static>> {
        Places::read(Path::new("Dockerfile"), files).unwrap()
    }

    fn files(version: &str, channel: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let cargo = format!("[workspace.package]\nrust-version = \"{version}\" # why\n");
        let toolchain = format!("# one\n[toolchain]\nchannel = \"{channel}\"\n");
        let texts = [
            ("Dockerfile", DOCKERFILE),
            ("Cargo.toml", &cargo),
            ("rust-toolchain.toml", &toolchain),
        ];
        texts
            .map(|(path, text)| (path.into(), text.into()))
            .to_vec()
    }

    fn newest_of(release: &str, tag: Option<&str>) -> Newest {
        Newest {
            release: release.parse().unwrap(),
            image: tag.map(|tag| {
                let base = Base::parse(&format!("docker.io/library/rust:{tag}")).unwrap();
                let found = Found {
                    digest: Digest::of(b""),
                    about: image::About::default(),
                };
                (base, found)
            }),
        }
    }

    #[test]
    fn all_places_move_together() {
        let digest = Digest::of(b"");
        for (version, channel, newest, tag, row, changed) in [
            ("1.95", "1.95.0", "1.95.0", None, "1.95.0 1.95.0 false", ""),
            (
                "1.95",
                "1.95.0",
                "1.95.2",
                None,
                "1.95.0 1.95.2 true",
                "toolchain 1.95.2",
            ),
            (
                "1.95",
                "1.95.0",
                "1.96.1",
                Some("1.96-alpine3.23"),
                "1.95.0 1.96.1 true",
                "version 1.96, toolchain 1.96.1, dockerfile",
            ),
            // One that lags behind, and one that is ahead of all images.
            (
                "1.93",
                "1.95.0",
                "1.95.0",
                None,
                "1.93.0 1.95.0 true",
                "version 1.95",
            ),
            ("1.95", "1.97.0", "1.95.0", None, "1.97.0 1.97.0 false", ""),
            (
                "1.95",
                "1.97.0",
                "1.96.0",
                Some("1.96-alpine3.23"),
                "1.95.0 1.96.0 true",
                "version 1.96, dockerfile",
            ),
            (
                "1.95",
                "stable",
                "1.96.0",
                Some("1.96-alpine3.23"),
                "1.95.0 1.96.0 true",
                "version 1.96, dockerfile",
            ),
        ] {
            let mut on_disk = Files::of(Path::new("/nowhere"));
            on_disk.put(&files(version, channel));
            let places = places(&on_disk).unwrap();
            let planned = planned(&places, &newest_of(newest, tag));
            let found = &planned.rows[0];
            let said = format!(
                "{} {} {}",
                found.pinned,
                found.newest.as_ref().unwrap(),
                found.is_behind.unwrap()
            );
            assert_eq!(said, row);
            let expected: Vec<(PathBuf, Vec<u8>)> = changed
                .split(", ")
                .filter_map(|change| match change.split_once(' ') {
                    Some(("version", to)) => Some(files(to, channel).swap_remove(1)),
                    Some((_, to)) => Some(files(version, to).swap_remove(2)),
                    None if change.is_empty() => None,
                    None => {
                        let text = DOCKERFILE
                            .replace("1.95-alpine3.23", &format!("1.96-alpine3.23@{digest}"));
                        Some(("Dockerfile".into(), text.into_bytes()))
                    }
                })
                .collect();
            assert_eq!(planned.files, expected, "{changed}");
            assert_eq!(planned.moves.is_empty(), changed.is_empty());
        }
        let mut none = Files::of(Path::new("/nowhere"));
        none.put(&[("Dockerfile".into(), "FROM node:20\nFROM rust\n".into())]);
        assert!(places(&none).is_none());
    }

    /// The places of this repository, which nothing else holds together.
    #[test]
    fn this_repository_names_one_version() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let files = Files::of(&root);
        let places = Places::read(Path::new("docker/Dockerfile.agent"), &files)
            .unwrap()
            .unwrap();
        assert_eq!(places.settings.len(), SETTINGS.len());
        let minors = places.releases().map(|release| written(release, true));
        let minors: std::collections::BTreeSet<String> = minors.collect();
        assert_eq!(minors.len(), 1, "{minors:?}");
    }
}
