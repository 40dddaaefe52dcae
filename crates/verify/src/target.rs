//! What is proven: an image by its digest, whatever name it was asked for by.

mod blob_store;
mod engine;
mod image;
mod name;
mod published;
mod read;

use anyhow::{Context as _, bail};
use xtask::ctx::Ctx;
use xtask::last_build::LastBuild;
use xtask::oci::Digest;
use xtask::platform::{self, Platform};
use xtask::printable;
use xtask::verify::Args;

pub(crate) use self::image::{Place, Subject, Target};
pub(crate) use self::published::fetch;
pub(crate) use self::read::Reader;

/// What the command line asks for.
pub(crate) struct ImageRequest<'a> {
    pub(crate) image: Option<&'a str>,
    pub(crate) platforms: &'a [Platform],
    /// Whether to ignore the engine's store.
    pub(crate) pull: bool,
}

impl ImageRequest<'_> {
    pub(crate) fn of(args: &Args) -> ImageRequest<'_> {
        ImageRequest {
            image: args.image.as_deref(),
            platforms: &args.platform,
            pull: args.pull,
        }
    }
}

/// Finds the image that is asked for: in the engine's store, else in its registry. The last build
/// is nowhere else than where it was built, unless it was pushed by its digest.
///
/// Fails when it is not there, and when it lacks a platform that is asked for.
pub(crate) fn resolve(ctx: &Ctx, asked: &ImageRequest) -> anyhow::Result<Target> {
    let exec = &ctx.exec;
    let mut target = match asked.image {
        Some(name) => {
            check(name)?;
            let here = if asked.pull {
                None
            } else {
                engine::find(exec, name, name)?
            };
            match here {
                Some(target) => target,
                None => published::find(exec, name, asked.pull)?,
            }
        }
        None => last_built(ctx, asked.pull)?,
    };
    narrow(&mut target, asked.platforms)?;
    Ok(target)
}

/// Reads no further than it must: docker and the registry know what there is.
fn check(name: &str) -> anyhow::Result<()> {
    let is_odd = |c: char| c.is_whitespace() || c.is_control();
    if name.is_empty() || name.starts_with('-') || name.contains(is_odd) {
        return Err(xtask::stop::Stop::Usage(format!(
            "bad image name `{}`; hint: `NAME:TAG`, `NAME@sha256:…` or a digest",
            printable::line(name)
        ))
        .into());
    }
    Ok(())
}

/// The last build of this checkout, by its digest: its name may have moved on.
fn last_built(ctx: &Ctx, pull: bool) -> anyhow::Result<Target> {
    let Some(built) = LastBuild::read(ctx)? else {
        bail!(
            "no image was built here yet; hint: `cargo xtask image`, or name one: \
             `cargo xtask verify agentgate/agent:TAG`"
        );
    };
    let name = built.references.first();
    let name = name.context("the last build has no tag")?;
    let lookup = built.digest.as_ref().map_or(&**name, Digest::as_str);
    if pull {
        let repository = &ctx.settings.repository;
        let digest = built.digest.as_ref().with_context(|| {
            format!(
                "the last build has no digest to ask a registry for; hint: `cargo xtask verify \
                 --pull {repository}:TAG`"
            )
        })?;
        return published::find(&ctx.exec, &format!("{repository}@{digest}"), true);
    }
    let found = engine::find(&ctx.exec, name, lookup)?;
    found.with_context(|| {
        format!(
            "the image last built (`{name}`, {lookup}) is not in this engine any more; hint: \
             `cargo xtask image`"
        )
    })
}

/// Keeps the platforms that are asked for, if any are.
fn narrow(target: &mut Target, asked: &[Platform]) -> anyhow::Result<()> {
    let has = target.platforms();
    target.found = has.len();
    if let Some(missing) = asked.iter().find(|platform| !has.contains(platform)) {
        let all = match target.place {
            Place::Engine => "here",
            Place::Registry(_) => "in its registry",
        };
        bail!(
            "`{}` is for `{}` {all}, not for `{missing}`; hint: `cargo xtask image --platform \
             {missing}` builds it, `--pull` asks the registry",
            target.name,
            platform::join(&has),
        );
    }
    if !asked.is_empty() {
        target
            .subjects
            .retain(|subject| asked.contains(&subject.platform));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_name_that_docker_would_take_for_a_flag_is_none() {
        for wrong in ["", "-v", "a b", "a\nb"] {
            assert!(check(wrong).is_err(), "{wrong:?}");
        }
        assert!(check("0a1b2c").is_ok());
    }

    fn target(platforms: &[Platform]) -> Target {
        let subject = |&platform| Subject {
            platform,
            manifest: None,
            config: None,
            run: "sha256:00".to_owned(),
            labels: BTreeMap::new(),
        };
        Target {
            name: "agentgate/agent:dev".to_owned(),
            digest: Digest::of(b"image"),
            index: None,
            place: Place::Engine,
            subjects: platforms.iter().map(subject).collect(),
            found: 0,
        }
    }

    #[test]
    fn platforms_are_narrowed_to_those_asked_for() {
        let both = [Platform::LinuxAmd64, Platform::LinuxArm64];
        for (asked, left) in [(&both[..0], &both[..]), (&both[1..], &both[1..])] {
            let mut target = target(&both);
            narrow(&mut target, asked).unwrap();
            assert_eq!(target.platforms(), left);
        }
        let error = narrow(&mut target(&both[..1]), &both).unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains("is for `linux/amd64` here, not for `linux/arm64`"),
            "{error}"
        );
    }
}
