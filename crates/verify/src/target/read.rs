//! Reading an image: its files from the engine, its index from where it was found.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};
use xtask::exec::Exec;
use xtask::oci::{Descriptor, Digest, Document, Index, Manifest};
use xtask::registry::Puller;

use super::image::{Place, Subject, Target};
use crate::facts::IndexFacts;
use crate::rootfs::Image;
use crate::rootfs::archive::{Archive, save};

/// Reads an image's platforms, one after the other.
#[derive(Default)]
pub(crate) struct Reader {
    /// All platforms of an index, which the engine gives out at once.
    whole: Mutex<Option<Arc<Archive>>>,
}

impl Reader {
    /// Reads one platform's files, and the index.
    pub(crate) fn read(
        &self,
        exec: &Exec,
        target: &Target,
        subject: &Subject,
    ) -> anyhow::Result<(Image, IndexFacts)> {
        let archive = self.archive(exec, target, subject)?;
        let root = match &subject.manifest {
            Some(manifest) if archive.has(manifest) => manifest.clone(),
            // The classic store has made the manifest up for the archive.
            _ => only_manifest(&archive)?,
        };
        let mut image = archive.image(&root)?;
        let saved = &image.manifest.config.digest;
        if let Some(config) = subject.config.as_ref().filter(|config| *config != saved) {
            bail!(
                "the engine saves another image for `{}` (configuration `{saved}`) than it was \
                 asked for (`{config}`); hint: `docker image rm {}`, and verify again",
                subject.run,
                subject.run
            );
        }
        if let (Some(manifest), Place::Registry(repository)) = (&subject.manifest, &target.place)
            && *manifest != root
        {
            let puller = Puller::new(exec, repository);
            image.manifest = published(&puller, manifest, &image.manifest)?;
        }
        let index = match (&target.index, &target.place) {
            (None, _) => IndexFacts::None,
            (Some(index), Place::Engine) => of_archive(&archive, index)?,
            (Some(index), Place::Registry(repository)) => {
                of_registry(&Puller::new(exec, repository), index)?
            }
        };
        Ok((image, index))
    }

    fn archive(
        &self,
        exec: &Exec,
        target: &Target,
        subject: &Subject,
    ) -> anyhow::Result<Arc<Archive>> {
        let mut args = Vec::new();
        let is_whole = target.index.is_some() && target.place == Place::Engine;
        // Only containerd's store, which keeps manifests, is asked for one platform of several.
        if !is_whole && subject.manifest.is_some() {
            args.extend(["--platform", subject.platform.as_str()]);
        }
        args.push(subject.run.as_str());
        if !is_whole {
            return save(exec, &args).map(Arc::new);
        }
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let archive = match whole.take() {
            Some(archive) => archive,
            None => Arc::new(save(exec, &args)?),
        };
        *whole = Some(Arc::clone(&archive));
        Ok(archive)
    }
}

/// The manifest that the registry has of the image that a classic store has saved: its layers are as large
/// as they are there, not unpacked.
fn published(registry: &Puller, digest: &Digest, saved: &Manifest) -> anyhow::Result<Manifest> {
    let found = registry.manifest(digest.as_str())?;
    let (_, bytes) = found.with_context(|| format!("manifest `{digest}` is gone"))?;
    let Document::Manifest(manifest) = Document::parse(&bytes)? else {
        bail!("`{digest}` is an index, not a manifest");
    };
    ensure!(
        manifest.config.digest == saved.config.digest
            && manifest.layers.len() == saved.layers.len(),
        "the engine saves other layers than the manifest `{digest}` has"
    );
    Ok(manifest)
}

fn only_manifest(archive: &Archive) -> anyhow::Result<Digest> {
    let root = archive.roots.first();
    let root = root.context("the image's archive leads to nothing")?;
    Ok(root.digest.clone())
}

/// What the engine has of an index. What it has not may be in the registry: that proves nothing.
fn of_archive(archive: &Archive, digest: &Digest) -> anyhow::Result<IndexFacts> {
    let Some(bytes) = archive.document(digest) else {
        return Ok(IndexFacts::Unknown(
            "the engine does not give the index out".to_owned(),
        ));
    };
    let Document::Index(index) = Document::parse(bytes)? else {
        return Ok(IndexFacts::None);
    };
    let missing = |entry: &&Descriptor| !archive.has(&entry.digest);
    if let Some(entry) = index.manifests.iter().find(missing) {
        let what = entry.platform.as_ref().map(ToString::to_string);
        return Ok(IndexFacts::Unknown(format!(
            "the engine has only a part of the index, not `{}` ({}); `--pull` asks the registry",
            entry.digest.short(),
            what.unwrap_or_else(|| "no platform".to_owned())
        )));
    }
    let (mut manifests, mut broken) = (BTreeMap::new(), Vec::new());
    for entry in &index.manifests {
        let Some(bytes) = archive.document(&entry.digest) else {
            broken.push(format!(
                "`{}` is not an index or a manifest",
                entry.digest.short()
            ));
            continue;
        };
        match entry.manifest(bytes) {
            Ok(manifest) => {
                let blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
                for blob in blobs.filter(|blob| !archive.has(&blob.digest)) {
                    broken.push(lacks(entry, &blob.digest));
                }
                manifests.insert(entry.digest.clone(), manifest);
            }
            Err(why) => broken.push(format!("`{}`: {why}", entry.digest.short())),
        }
    }
    Ok(IndexFacts::Known {
        index,
        manifests,
        broken,
    })
}

fn lacks(of: &Descriptor, what: &Digest) -> String {
    format!(
        "`{}` of manifest `{}` is missing",
        what.short(),
        of.digest.short()
    )
}

/// The index as its registry has it, and what it leads to and is not there.
fn of_registry(registry: &Puller, digest: &Digest) -> anyhow::Result<IndexFacts> {
    let found = registry.manifest(digest.as_str())?;
    let (_, bytes) = found.with_context(|| format!("index `{digest}` is gone"))?;
    let Document::Index(index) = Document::parse(&bytes)? else {
        return Ok(IndexFacts::None);
    };
    let (manifests, broken) = below(registry, &index)?;
    Ok(IndexFacts::Known {
        index,
        manifests,
        broken,
    })
}

/// Manifests by their digests.
type Manifests = BTreeMap<Digest, Manifest>;

/// The manifests that an index names, and what is missing below it or can be read in two ways.
fn below(registry: &Puller, index: &Index) -> anyhow::Result<(Manifests, Vec<String>)> {
    let (mut manifests, mut broken) = (BTreeMap::new(), Vec::new());
    for entry in &index.manifests {
        let short = entry.digest.short();
        let Some((_, bytes)) = registry.manifest(entry.digest.as_str())? else {
            broken.push(format!("manifest `{short}` is missing"));
            continue;
        };
        match entry.manifest(&bytes) {
            Ok(manifest) => {
                for blob in std::iter::once(&manifest.config).chain(&manifest.layers) {
                    if !registry.has_blob(&blob.digest)? {
                        broken.push(lacks(entry, &blob.digest));
                    }
                }
                manifests.insert(entry.digest.clone(), manifest);
            }
            Err(why) => broken.push(format!("`{short}`: {why}")),
        }
    }
    Ok((manifests, broken))
}
