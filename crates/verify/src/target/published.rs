//! An image in a registry.

use anyhow::{Context as _, bail};
use xtask::docker;
use xtask::exec::Exec;
use xtask::oci::{Descriptor, Digest, Document, Index, Manifest};
use xtask::platform::Platform;
use xtask::reference::Repository;
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
            let one = subject(&registry, &repository, None, digest.clone(), &manifest);
            (None, Vec::from_iter(one.with_context(of)?))
        }
        Document::Index(index) => {
            let subjects = children(&index).into_iter().map(|(platform, child)| {
                // What is not there, or is no image, the check `index-complete` of the others says.
                let Some((_, bytes)) = registry.manifest(child.digest.as_str())? else {
                    return Ok(None);
                };
                let Ok(manifest) = child.manifest(&bytes) else {
                    return Ok(None);
                };
                let digest = child.digest.clone();
                subject(&registry, &repository, Some(platform), digest, &manifest)
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
        docker::watch_stdout(exec, &pull)?;
    }
    Ok(())
}

/// One image, for the platform that the index says, or else its own configuration; none for a
/// platform that we do not know.
///
/// It is run by the manifest's digest: neither a tag nor an index leaves the engine a choice.
fn subject(
    registry: &Puller,
    repository: &Repository,
    platform: Option<Platform>,
    digest: Digest,
    manifest: &Manifest,
) -> anyhow::Result<Option<Subject>> {
    let descriptor = &manifest.config;
    // What is not there the check `index-complete` says.
    let Some(config) = registry.small_blob(&descriptor.digest)? else {
        return Ok(None);
    };
    let config = descriptor.config(&config);
    let config = config.with_context(|| format!("bad configuration `{}`", descriptor.digest))?;
    let own = config.platform();
    let own = || Platform::ALL.into_iter().find(|one| own.is(*one));
    Ok(platform.or_else(own).map(|platform| Subject {
        platform,
        run: format!("{repository}@{digest}"),
        manifest: Some(digest),
        config: Some(descriptor.digest.clone()),
        labels: config.config.labels.clone(),
    }))
}

/// The images of an index for platforms that we know, the first of each: that there is one of
/// each is for a check to say.
fn children(index: &Index) -> Vec<(Platform, &Descriptor)> {
    let child = |wanted: Platform| {
        let is_wanted = |entry: &&Descriptor| {
            let platform = entry.platform.as_ref();
            !entry.is_attestation() && platform.is_some_and(|platform| platform.is(wanted))
        };
        let entry = index.manifests.iter().find(is_wanted)?;
        Some((wanted, entry))
    };
    Platform::ALL.into_iter().filter_map(child).collect()
}
