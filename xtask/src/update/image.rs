//! Images that a Dockerfile names, as their registry has them. It is asked as for a push, with docker's credentials.

use std::collections::BTreeMap;
use std::time::SystemTime;

use anyhow::Context as _;

use crate::base::Base;
use crate::ctx::Ctx;
use crate::day::Day;
use crate::exec;
use crate::oci::{Config, Digest};
use crate::platform::Platform;
use crate::registry::{Puller, stand_in};
use crate::report::bytes;

/// What a digest leads to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct About {
    /// None where its configuration does not say it.
    pub(super) created: Option<SystemTime>,
    /// The bytes of its layers as the registry stores them, for those of the settings' platforms that it has.
    pub(super) sizes: BTreeMap<Platform, u64>,
}

impl About {
    /// The day on which it was made, in UTC.
    pub(super) fn day(&self) -> Option<Day> {
        Day::of(self.created?).ok()
    }

    /// The sizes of those platforms that are known, from what was before to this: `amd64 50.1 MB → 50.3 MB`; none
    /// where none is.
    pub(super) fn growth(&self, before: &About) -> Option<String> {
        let sizes = self.sizes.iter().map(|(platform, size)| {
            let arch = platform.architecture();
            match before.sizes.get(platform) {
                Some(before) => format!("{arch} {} → {}", bytes(*before), bytes(*size)),
                None => format!("{arch} {}", bytes(*size)),
            }
        });
        let sizes = sizes.collect::<Vec<_>>().join(", ");
        (!sizes.is_empty()).then(|| format!("compressed: {sizes}"))
    }

    /// Which of these platforms it is not for.
    pub(super) fn lacks(&self, platforms: &[Platform]) -> Option<String> {
        let lacks = platforms.iter().filter(|one| !self.sizes.contains_key(one));
        let lacks: Vec<&str> = lacks.map(|platform| platform.as_str()).collect();
        (!lacks.is_empty()).then(|| format!("it is not for {}", lacks.join(", ")))
    }
}

/// What a tag leads to now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// That of the index: one for every platform, and none of a single one (dependabot/dependabot-core#8609).
    pub(super) digest: Digest,
    pub(super) about: About,
}

/// Whether the test bed has a stand-in for an image. A stand-in's digest and tags say nothing of the image itself: it
/// is not asked, and never pinned.
pub(super) fn is_stand_in(ctx: &Ctx, image: &Base) -> anyhow::Result<bool> {
    let (repository, _) = image.place()?;
    Ok(stand_in(&ctx.exec, &repository).is_some())
}

/// What the image's tag leads to now; none when its registry says that there is no such tag.
pub(super) fn find(ctx: &Ctx, image: &Base) -> anyhow::Result<Option<Found>> {
    let (repository, tag) = image.place()?;
    exec::check()?;
    crate::say::errln!("asking for `{}`", image.name());
    let puller = Puller::new(&ctx.exec, &repository);
    let Some(digest) = puller.digest(tag)? else {
        return Ok(None);
    };
    let about = read(&puller, &digest, &ctx.settings.platforms)?;
    Ok(Some(Found { digest, about }))
}

/// Whether the registry has the image's tag.
pub(super) fn exists(ctx: &Ctx, image: &Base) -> anyhow::Result<bool> {
    let (repository, tag) = image.place()?;
    exec::check()?;
    crate::say::errln!("asking for `{}`", image.name());
    Ok(Puller::new(&ctx.exec, &repository).digest(tag)?.is_some())
}

/// What the pinned digest leads to; nothing where that cannot be read: it may be deleted since.
pub(super) fn pinned(ctx: &Ctx, image: &Base) -> About {
    let read = |digest: &Digest| {
        let (repository, _) = image.place().ok()?;
        let puller = Puller::new(&ctx.exec, &repository);
        read(&puller, digest, &ctx.settings.platforms).ok()
    };
    image.digest().and_then(read).unwrap_or_default()
}

/// The tags of the image's repository.
pub(super) fn tags(ctx: &Ctx, image: &Base) -> anyhow::Result<Vec<String>> {
    let (repository, _) = image.place()?;
    exec::check()?;
    crate::say::errln!("asking for the tags of `{repository}`");
    Puller::new(&ctx.exec, &repository).tags()
}

/// Reads the index and, for each platform, manifest and configuration.
fn read(puller: &Puller, digest: &Digest, platforms: &[Platform]) -> anyhow::Result<About> {
    let root = puller.parsed(digest.as_str())?;
    let mut about = About::default();
    for platform in platforms {
        let Some(manifest) = puller.manifest_for(&root, *platform)? else {
            continue;
        };
        let named = &manifest.config.digest;
        let bytes = puller.small_blob(named)?;
        let bytes = bytes.with_context(|| format!("its registry lacks `{named}`"))?;
        let config = manifest.config.config(&bytes)?;
        if config.platform().is(*platform) {
            about.created = about.created.or_else(|| created(&config));
            let layers = manifest.layers.iter().map(|layer| layer.size);
            let size = layers.fold(0, u64::saturating_add);
            about.sizes.insert(*platform, size);
        }
    }
    Ok(about)
}

/// When the image was made; none where its configuration does not say it.
fn created(config: &Config) -> Option<SystemTime> {
    humantime::parse_rfc3339(config.created.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_compared_where_both_are_known() {
        let [amd64, arm64] = Platform::ALL;
        let about = |sizes: &[(Platform, u64)]| About {
            sizes: sizes.iter().copied().collect(),
            ..About::default()
        };
        let before = about(&[(amd64, 50_100_000)]);
        let now = about(&[(amd64, 50_300_000), (arm64, 1000)]);
        assert_eq!(
            now.growth(&before).unwrap(),
            "compressed: amd64 50.1 MB → 50.3 MB, arm64 1.0 kB"
        );
        assert_eq!(About::default().growth(&now), None);
        assert_eq!(now.lacks(&Platform::ALL), None);
        assert_eq!(
            before.lacks(&Platform::ALL).unwrap(),
            "it is not for linux/arm64"
        );
    }
}
