//! An image in a registry.

use anyhow::{Context as _, bail};
use xtask::docker;
use xtask::exec::Exec;
use xtask::oci::{Config, Descriptor, Digest, Document, Index, Manifest};
use xtask::platform::Platform;
use xtask::registry::Puller;

use super::image::{Place, Subject, Target};
use super::name::{Name, split};

/// Finds the image; `only` says that nobody else was asked for it.
pub(super) fn find(exec: &Exec, name: &str, only: bool) -> anyhow::Result<Target> {
    let elsewhere = if only {
        ""
    } else {
        "the engine has none, and "
    };
    let split = split(name).map_err(|why| anyhow::anyhow!("no image is called `{name}`: {why}"));
    let Some(Name {
        repository,
        version,
    }) = split?
    else {
        bail!(
            "no image `{name}`: {elsewhere}a digest alone names no registry; hint: \
             `cargo xtask verify NAME@{name}`, or `docker images --digests`"
        );
    };
    let registry = Puller::new(exec, &repository);
    let found = registry
        .manifest(&version)
        .with_context(|| format!("no image `{name}`: {elsewhere}its registry gives no answer"))?;
    let Some((digest, bytes)) = found else {
        bail!(
            "no image `{name}`: {elsewhere}`{}` has none in `{repository}`; hint: `cargo xtask \
             image` builds one, `docker images` lists those that are here",
            repository.registry()
        );
    };
    let of = || format!("`{name}` ({digest})");
    let (index, subjects) = match Document::parse(&bytes).with_context(of)? {
        Document::Manifest(manifest) => {
            let run = format!("{repository}@{digest}");
            let one = subject(&registry, None, digest.clone(), &manifest, run);
            (None, Vec::from_iter(one.with_context(of)?))
        }
        Document::Index(index) => {
            let subjects = children(&index)
                .into_iter()
                .map(|(platform, child, is_only)| {
                    // An engine that has two images for a platform gives neither out by the index.
                    let run = if is_only { &digest } else { &child };
                    let run = format!("{repository}@{run}");
                    // What is not there, or is no image, the check `index-complete` of the others says.
                    let Some((_, bytes)) = registry.manifest(child.as_str())? else {
                        return Ok(None);
                    };
                    let Document::Manifest(manifest) = Document::parse(&bytes)? else {
                        return Ok(None);
                    };
                    subject(&registry, Some(platform), child, &manifest, run)
                });
            let subjects: Vec<Option<Subject>> =
                subjects.collect::<anyhow::Result<_>>().with_context(of)?;
            (
                Some(digest.clone()),
                subjects.into_iter().flatten().collect(),
            )
        }
    };
    if subjects.is_empty() {
        bail!(
            "{} has nothing for a platform that an agent image is for",
            of()
        );
    }
    Ok(Target {
        name: name.to_owned(),
        digest,
        index,
        place: Place::Registry(repository),
        subjects,
        found: 0,
    })
}

/// Brings the platforms of an image that is in a registry into the engine's store.
pub(crate) fn fetch(exec: &Exec, target: &Target) -> anyhow::Result<()> {
    if target.place == Place::Engine {
        return Ok(());
    }
    for subject in &target.subjects {
        let pull = [
            "pull",
            "--platform",
            subject.platform.as_str(),
            &subject.run,
        ];
        docker::watch(exec, &pull)?;
    }
    Ok(())
}

/// One image, for the platform that the index says, or else its own configuration; none for a
/// platform that we do not know.
fn subject(
    registry: &Puller,
    platform: Option<Platform>,
    digest: Digest,
    manifest: &Manifest,
    run: String,
) -> anyhow::Result<Option<Subject>> {
    // What is not there the check `index-complete` says.
    let Some(config) = registry.json(&manifest.config.digest)? else {
        return Ok(None);
    };
    let config: Config = serde_json::from_value(config)
        .with_context(|| format!("`{}` is no image's configuration", manifest.config.digest))?;
    let own = || {
        format!("{}/{}", config.os, config.architecture)
            .parse()
            .ok()
    };
    Ok(platform.or_else(own).map(|platform| Subject {
        platform,
        manifest: Some(digest),
        run,
        labels: config.config.labels.clone(),
    }))
}

/// The images of an index for platforms that we know, the first of each, and whether it is the only one:
/// that it is, is for a check to say.
fn children(index: &Index) -> Vec<(Platform, Digest, bool)> {
    let child = |wanted: Platform| {
        let is_wanted = |entry: &&Descriptor| {
            let platform = entry.platform.as_ref();
            !entry.is_attestation() && platform.is_some_and(|platform| platform.is(wanted))
        };
        let mut entries = index.manifests.iter().filter(is_wanted);
        let entry = entries.next()?;
        Some((wanted, entry.digest.clone(), entries.next().is_none()))
    };
    Platform::ALL.into_iter().filter_map(child).collect()
}
