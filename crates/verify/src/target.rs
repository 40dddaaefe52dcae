//! What is proven: an image by its digest, whatever name it was asked for by.

mod engine;
mod published;
mod read;

use std::collections::BTreeMap;

use anyhow::{Context as _, bail};

pub(crate) use self::published::fetch;
pub(crate) use self::read::Reader;
use xtask::ctx::Ctx;
use xtask::last_build::LastBuild;
use xtask::oci::Digest;
use xtask::platform::{self, Platform};
use xtask::reference::{self, Repository};

/// An image, resolved to digests.
pub(crate) struct Target {
    /// The name that was asked for, as messages show it.
    pub(crate) name: String,
    /// Of the index; absent when the name leads to one manifest.
    pub(crate) index: Option<Digest>,
    pub(crate) place: Place,
    /// The platforms to verify, in the order of `Platform`; at least one.
    pub(crate) subjects: Vec<Subject>,
    /// How many platforms the image has, asked for or not.
    pub(crate) found: usize,
}

/// Where the image was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Engine,
    Registry(Repository),
}

/// One platform of the image.
pub(crate) struct Subject {
    pub(crate) platform: Platform,
    /// Absent when the engine's classic store keeps no manifest.
    pub(crate) manifest: Option<Digest>,
    /// What `docker run --platform` and `docker save --platform` are given: a digest, or a name
    /// with one.
    pub(crate) run: String,
    pub(crate) labels: BTreeMap<String, String>,
}

/// What the command line asks for.
pub(crate) struct ImageRequest<'a> {
    pub(crate) image: Option<&'a str>,
    pub(crate) platforms: &'a [Platform],
    /// Whether to ignore the engine's store.
    pub(crate) pull: bool,
}

impl Subject {
    /// The commit that the image says it is built from.
    pub(crate) fn revision(&self) -> Option<&str> {
        let label = self.labels.get("org.opencontainers.image.revision");
        label.map(String::as_str)
    }

    /// What the classic store calls the image: its configuration.
    pub(crate) fn config(&self) -> Option<Digest> {
        self.manifest.is_none().then(|| self.run.parse().ok())?
    }
}

impl Target {
    /// The digest that the name leads to: the index's, the manifest's, or what the classic store
    /// calls the image.
    pub(crate) fn digest(&self) -> String {
        let manifest = || self.subjects.first()?.manifest.as_ref();
        match self.index.as_ref().or_else(manifest) {
            Some(digest) => digest.to_string(),
            None => self
                .subjects
                .first()
                .map(|subject| subject.run.clone())
                .unwrap_or_default(),
        }
    }

    pub(crate) fn platforms(&self) -> Vec<Platform> {
        self.subjects
            .iter()
            .map(|subject| subject.platform)
            .collect()
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
            name.escape_debug()
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

/// A name, taken apart: `registry/repository:tag@digest`.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    repository: Repository,
    /// A tag or a digest.
    version: String,
}

/// None for a bare digest or an id, which no registry can be asked for.
fn split(name: &str) -> Result<Option<Name>, String> {
    if name.parse::<Digest>().is_ok() {
        return Ok(None);
    }
    let (rest, digest) = match name.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest.parse::<Digest>()?)),
        None => (name, None),
    };
    let start = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (repository, tag) = match rest[start..].find(':') {
        Some(colon) => (&rest[..start + colon], Some(&rest[start + colon + 1..])),
        None => (rest, None),
    };
    if let Some(tag) = tag {
        reference::check_tag(tag)?;
    }
    let digest = digest.map(|digest| digest.to_string());
    let version = digest.or_else(|| tag.map(str::to_owned));
    Ok(Some(Name {
        repository: repository.parse()?,
        version: version.unwrap_or_else(|| "latest".to_owned()),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_are_taken_apart() {
        let with_tag = format!("127.0.0.1:5000/agentgate/agent:dev@{DIGEST}");
        for (name, repository, version) in [
            ("alpine", "alpine", "latest"),
            ("agentgate/agent:dev", "agentgate/agent", "dev"),
            (
                "127.0.0.1:5000/agentgate/agent",
                "127.0.0.1:5000/agentgate/agent",
                "latest",
            ),
            ("127.0.0.1:5000/a/b:v1.2.3", "127.0.0.1:5000/a/b", "v1.2.3"),
            (&with_tag, "127.0.0.1:5000/agentgate/agent", DIGEST),
        ] {
            let split = split(name).unwrap().unwrap();
            assert_eq!(
                (&*split.repository.to_string(), &*split.version),
                (repository, version)
            );
        }
        assert_eq!(split(DIGEST), Ok(None));
        for wrong in [
            "a@sha256:12",
            "A:b",
            "a:",
            "a:-x",
            "@",
            "a//b",
            "https://x/y",
        ] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }

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
            run: "sha256:00".to_owned(),
            labels: BTreeMap::new(),
        };
        Target {
            name: "agentgate/agent:dev".to_owned(),
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
