//! A build in a folder, as an OCI image layout (image-spec 1.1, "Image Layout"): what buildx
//! exports, before anybody else sees it.
//!
//! The folder stays from build to build: buildx writes only the blobs that are not there yet.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, ensure};

use super::files::remove_old;
use crate::blob_folders;
use crate::image_tree::{Blobs, Content, ImageTree, ManifestStore};
use crate::oci::{Digest, roots};

pub(super) struct Layout {
    folder: PathBuf,
}

impl Layout {
    /// Makes `folder` ready for a build: what the last one led to is forgotten, its blobs stay.
    pub(super) fn prepare(folder: &Path) -> anyhow::Result<Layout> {
        let failed = || format!("failed to prepare `{}`", folder.display());
        fs::create_dir_all(folder).with_context(failed)?;
        remove_old(&folder.join("index.json"))?;
        let layout = Layout {
            folder: folder.to_owned(),
        };
        layout.remove_halves().with_context(failed)?;
        Ok(layout)
    }

    /// Removes what buildx had not written to its end when it ended.
    pub(super) fn remove_halves(&self) -> io::Result<()> {
        blob_folders::remove_halves(&self.folder)
    }

    /// What the build led to.
    pub(super) fn tree(&self) -> anyhow::Result<ImageTree> {
        let path = self.folder.join("index.json");
        let folder = self.folder.display();
        let of = || format!("bad OCI layout `{folder}`; hint: `rm -r {folder}` and build again");
        let text = fs::read(&path)
            .with_context(|| format!("failed to read `{}`", path.display()))
            .with_context(of)?;
        let roots = roots(&text).with_context(of)?;
        let [root] = roots.as_slice() else {
            let count = roots.len();
            return Err(anyhow!("it leads to {count} images, not to one")).with_context(of);
        };
        let bytes = self.read(&root.digest).with_context(of)?;
        let bytes = bytes.context("its root is missing").with_context(of)?;
        root.document(&bytes).with_context(of)?;
        ImageTree::read(bytes, self).with_context(of)
    }

    /// Removes the blobs that neither `tree` nor its `content` name: those of earlier builds.
    pub(super) fn prune(&self, tree: &ImageTree, content: &Content) -> io::Result<()> {
        let manifests = content.manifests.iter().map(|manifest| &manifest.digest);
        let blobs = content.blobs.iter().map(|blob| &blob.digest);
        let kept = manifests.chain(blobs).chain([&tree.digest]);
        blob_folders::prune(&self.folder, kept)
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        blob_folders::path(&self.folder, digest)
    }

    /// A document of the layout, whose bytes are what its digest says.
    fn read(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            result => result.with_context(|| format!("failed to read `{}`", path.display()))?,
        };
        ensure!(
            Digest::of(&bytes) == *digest,
            "`{}` is corrupt; hint: `rm -r {}` and build again",
            path.display(),
            self.folder.display()
        );
        Ok(Some(bytes))
    }
}

impl Blobs for Layout {
    fn open<'a>(&'a self, digest: &Digest) -> io::Result<Box<dyn Read + 'a>> {
        Ok(Box::new(File::open(self.path(digest))?))
    }
}

impl ManifestStore for Layout {
    fn manifest(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        self.read(digest)
    }

    fn config(&self, digest: &Digest) -> anyhow::Result<Option<Vec<u8>>> {
        self.read(digest)
    }
}
