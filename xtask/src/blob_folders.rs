//! Folders of this machine that have blobs of images, each in a file named by its digest, as in an OCI image
//! layout (image-spec 1.1, "OCI Image Layout").
//!
//! What is read there is not to be believed before it is hashed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::docker::Docker;
use crate::files;
use crate::oci::Digest;

/// The folder, among the records, of the layouts that builds leave.
pub(crate) const LAYOUTS: &str = "layout";
const BLOBS: &str = "blobs/sha256";
/// What is written, until it is whole.
const INGEST: &str = "ingest";
/// Where containerd keeps blobs, below its own folder; its release notes have not moved it since 1.0.
const CONTENT: &str = "io.containerd.content.v1.content";
/// The folder of a containerd that docker did not start itself.
const CONTAINERD: &str = "/var/lib/containerd";

/// The folders that there may be.
pub struct BlobFolders {
    layouts: Vec<PathBuf>,
    /// The content stores of engines on this machine.
    stores: Vec<PathBuf>,
}

impl BlobFolders {
    /// What builds left among the `records`, then the content store of an engine on this machine, which
    /// root or the user of a rootless engine can read.
    pub fn new(records: &Path, docker: &Docker) -> BlobFolders {
        let layouts = fs::read_dir(records.join(LAYOUTS)).into_iter().flatten();
        let mut layouts: Vec<PathBuf> = layouts.flatten().map(|one| one.path()).collect();
        layouts.sort_unstable();
        let engine = docker.engine.as_ref();
        let root = engine.and_then(|engine| engine.root.as_ref());
        let own = root.map(|root| root.join("containerd/daemon"));
        let stores = own.into_iter().chain([PathBuf::from(CONTAINERD)]);
        BlobFolders {
            layouts,
            stores: stores.map(|folder| folder.join(CONTENT)).collect(),
        }
    }

    /// The files that are named by `digest`, one after the other.
    pub fn files(&self, digest: &Digest) -> impl Iterator<Item = File> {
        let folders = self.layouts.iter().chain(&self.stores);
        let paths = folders.map(|folder| path(folder, digest));
        paths.filter_map(|path| files::open(&path).ok())
    }

    pub fn has(&self, digest: &Digest) -> bool {
        is_in(&self.layouts, digest) || self.is_in_store(digest)
    }

    /// Whether the content store of an engine has the blob.
    pub fn is_in_store(&self, digest: &Digest) -> bool {
        is_in(&self.stores, digest)
    }
}

fn is_in(folders: &[PathBuf], digest: &Digest) -> bool {
    folders.iter().any(|folder| path(folder, digest).is_file())
}

/// Where the blob of `digest` is in a layout's `folder`.
pub(crate) fn path(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join(BLOBS).join(digest.hex())
}

/// Removes from a layout's `folder` what a killed build had not written to its end.
pub(crate) fn remove_halves(folder: &Path) -> io::Result<()> {
    files::remove_folder(&folder.join(INGEST))
}

/// Removes from a layout's `folder` the blobs that are not `kept`: those of earlier builds.
pub(crate) fn prune<'a>(
    folder: &Path,
    kept: impl IntoIterator<Item = &'a Digest>,
) -> io::Result<()> {
    let kept: BTreeSet<&str> = kept.into_iter().map(Digest::hex).collect();
    for file in fs::read_dir(folder.join(BLOBS))? {
        let file = file?;
        let name = file.file_name();
        if !name.to_str().is_some_and(|name| kept.contains(name)) {
            fs::remove_file(file.path())?;
        }
    }
    Ok(())
}

/// A layout's folder, as blobs are put into it.
pub(crate) struct Keeper<'a> {
    folder: &'a Path,
    kept: Vec<Digest>,
}

impl Keeper<'_> {
    /// Removes what a killed build had not written to its end.
    pub(crate) fn of(folder: &Path) -> io::Result<Keeper<'_>> {
        remove_halves(folder)?;
        Ok(Keeper {
            folder,
            kept: Vec::new(),
        })
    }

    /// The file that the blob of `digest` is to be written to; none where it is there.
    pub(crate) fn file(&mut self, digest: &Digest) -> io::Result<Option<NamedTempFile>> {
        self.kept.push(digest.clone());
        if path(self.folder, digest).is_file() {
            return Ok(None);
        }
        let ingest = self.folder.join(INGEST);
        fs::create_dir_all(self.folder.join(BLOBS))?;
        fs::create_dir_all(&ingest)?;
        NamedTempFile::new_in(ingest).map(Some)
    }

    /// Gives a file that was written whole its name.
    pub(crate) fn keep(&self, digest: &Digest, file: NamedTempFile) -> io::Result<()> {
        let path = path(self.folder, digest);
        file.persist(path).map(drop).map_err(|error| error.error)
    }

    /// Removes the blobs that it was not asked for: those of earlier builds.
    pub(crate) fn prune(self) -> io::Result<()> {
        prune(self.folder, &self.kept)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::docker::{Engine, Store};

    fn text(folders: &BlobFolders, digest: &Digest) -> Vec<String> {
        let read = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        };
        folders.files(digest).map(read).collect()
    }

    #[test]
    fn builds_and_the_engine_have_blobs() {
        let folder = tempfile::tempdir().unwrap();
        let (records, root) = (folder.path().join("records"), folder.path().join("docker"));
        let docker = Docker {
            engine: Some(Engine {
                version: "28.5.2".to_owned(),
                platform: None,
                store: Store::Containerd,
                root: Some(root.clone()),
            }),
            ..Docker::default()
        };
        let digest = Digest::of(b"blob");
        let folders = || BlobFolders::new(&records, &docker);
        assert!(!folders().has(&digest) && text(&folders(), &digest).is_empty());
        let content = root.join("containerd/daemon").join(CONTENT);
        for (place, content) in [
            (content, "engine"),
            (records.join("layout/local"), "local"),
            (records.join("layout/linux-amd64"), "push"),
        ] {
            fs::create_dir_all(place.join(BLOBS)).unwrap();
            fs::write(path(&place, &digest), content).unwrap();
        }
        assert_eq!(text(&folders(), &digest), ["push", "local", "engine"]);
        assert!(folders().has(&digest) && folders().is_in_store(&digest));
        let other = Digest::of(b"other");
        fs::write(path(&records.join("layout/local"), &other), "local").unwrap();
        assert!(folders().has(&other) && !folders().is_in_store(&other));
        // No file is no blob.
        fs::remove_file(path(&records.join("layout/local"), &digest)).unwrap();
        fs::create_dir(path(&records.join("layout/local"), &digest)).unwrap();
        assert_eq!(text(&folders(), &digest), ["push", "engine"]);
    }

    #[test]
    fn a_layout_keeps_what_the_last_build_has() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("layout/local");
        let digests: Vec<Digest> = ["a", "b", "c"]
            .map(|blob| Digest::of(blob.as_bytes()))
            .to_vec();
        let build = |of: &[usize]| {
            let mut keeper = Keeper::of(&folder).unwrap();
            let mut written = Vec::new();
            for &number in of {
                let digest = &digests[number];
                if let Some(mut file) = keeper.file(digest).unwrap() {
                    file.write_all(b"x").unwrap();
                    keeper.keep(digest, file).unwrap();
                    written.push(number);
                }
            }
            keeper.prune().unwrap();
            written
        };
        assert_eq!(build(&[0, 1]), [0, 1]);
        // What a killed build had not written to its end.
        fs::write(folder.join(INGEST).join("half"), "x").unwrap();
        assert_eq!(build(&[1, 2]), [2]);
        let has = digests.iter().map(|digest| path(&folder, digest).is_file());
        assert_eq!(has.collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(fs::read_dir(folder.join(INGEST)).unwrap().count(), 0);
    }
}
