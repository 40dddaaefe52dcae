//! Reads an image's files and its index, from wherever its blobs are.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail};
use xtask::blob_folders::BlobFolders;
use xtask::exec::Exec;
use xtask::oci::{Descriptor, Digest, Document, Index, Manifest};
use xtask::registry::Puller;

use super::blob_store::BlobStore;
use super::image::{Place, Subject, Target};
use crate::facts::IndexFacts;
use crate::rootfs::Image;
use crate::rootfs::archive::{Archive, save};
use crate::rootfs::layer_cache::LayerCache;
use crate::rootfs::store::{Store, read_image};

/// Reads an image's platforms, one after the other.
///
/// Blobs come from where they lie: from folders on this machine, and what is published else from its
/// registry. Only an image of the engine that is in no folder is saved by the engine, which takes it longer.
/// Wherever bytes come from, they are what their digests say.
pub(crate) struct Reader {
    folders: BlobFolders,
    /// None where everything is to be read anew.
    cache: Option<LayerCache>,
    /// All platforms of an index, which the engine gives out at once.
    whole: Mutex<Option<Arc<Archive>>>,
}

impl Reader {
    pub(crate) fn new(folders: BlobFolders, cache: Option<LayerCache>) -> Reader {
        Reader {
            folders,
            cache,
            whole: Mutex::default(),
        }
    }

    /// Reads one platform's files, and the index.
    pub(crate) fn read(
        &self,
        exec: &Exec,
        target: &Target,
        subject: &Subject,
    ) -> anyhow::Result<(Image, IndexFacts)> {
        match (&target.place, &subject.manifest) {
            (Place::Registry(repository), Some(manifest)) => {
                let registry = Puller::new(exec, repository);
                let image = read_image(&self.store(Some(&registry)), manifest)?;
                let index = match &target.index {
                    Some(index) => of_registry(&registry, index)?,
                    None => IndexFacts::None,
                };
                Ok((image, index))
            }
            (_, Some(manifest)) => {
                let folders = self.of_folders(target, manifest);
                folders.map_or_else(|| self.saved(exec, target, subject), Ok)
            }
            (_, None) => self.saved(exec, target, subject),
        }
    }

    fn store<'a>(&'a self, registry: Option<&'a Puller>) -> BlobStore<'a> {
        BlobStore {
            folders: &self.folders,
            registry,
            cache: self.cache.as_ref(),
        }
    }

    /// An image of the engine; none where it cannot be read from folders, whatever the reason.
    fn of_folders(&self, target: &Target, manifest: &Digest) -> Option<(Image, IndexFacts)> {
        let store = self.store(None);
        let index = match &target.index {
            Some(digest) => {
                let has = |digest: &Digest| self.folders.has(digest);
                let known = of_engine(&store, has, digest).ok()?;
                // The engine may know more of it than a build has left, but not than its own store has.
                let is_all =
                    !matches!(known, IndexFacts::Unknown(_)) || self.folders.is_in_store(digest);
                is_all.then_some(known)?
            }
            None => IndexFacts::None,
        };
        Some((read_image(&store, manifest).ok()?, index))
    }

    /// An image of the engine, saved by it.
    fn saved(
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
        let image = read_image(&*archive, &root)?;
        let saved = &image.manifest.config.digest;
        if let Some(config) = subject.config.as_ref().filter(|config| *config != saved) {
            bail!(
                "the engine saves another image for `{}` (configuration `{saved}`) than it was \
                 asked for (`{config}`); hint: `docker image rm {}`, and verify again",
                subject.run,
                subject.run
            );
        }
        let index = match &target.index {
            Some(index) => of_engine(&*archive, |digest| archive.has(digest), index)?,
            None => IndexFacts::None,
        };
        Ok((image, index))
    }

    fn archive(
        &self,
        exec: &Exec,
        target: &Target,
        subject: &Subject,
    ) -> anyhow::Result<Arc<Archive>> {
        let is_whole = target.index.is_some();
        let args = if is_whole {
            vec![subject.run.as_str()]
        } else {
            subject.save_args()
        };
        let save = || save(exec, &args, self.cache.as_ref()).map(Arc::new);
        if !is_whole {
            return save();
        }
        let mut whole = self.whole.lock().unwrap_or_else(PoisonError::into_inner);
        let archive = match whole.take() {
            Some(archive) => archive,
            None => save()?,
        };
        *whole = Some(Arc::clone(&archive));
        Ok(archive)
    }
}

fn only_manifest(archive: &Archive) -> anyhow::Result<Digest> {
    let root = archive.roots.first();
    let root = root.context("the image's archive leads to nothing")?;
    Ok(root.digest.clone())
}

/// What the engine has of an index. What it has not may be in the registry: that proves nothing.
fn of_engine(
    store: &impl Store,
    has: impl Fn(&Digest) -> bool,
    digest: &Digest,
) -> anyhow::Result<IndexFacts> {
    let Some(bytes) = store.manifest(digest)? else {
        return Ok(IndexFacts::Unknown(
            "the engine does not give the index out".to_owned(),
        ));
    };
    let Document::Index(index) = Document::parse(&bytes)? else {
        return Ok(IndexFacts::None);
    };
    let missing = |entry: &&Descriptor| !has(&entry.digest);
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
        let Ok(Some(bytes)) = store.manifest(&entry.digest) else {
            broken.push(format!(
                "`{}` is not an index or a manifest",
                entry.digest.short()
            ));
            continue;
        };
        match entry.manifest(&bytes) {
            Ok(manifest) => {
                let blobs = std::iter::once(&manifest.config).chain(&manifest.layers);
                for blob in blobs.filter(|blob| !has(&blob.digest)) {
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
