//! Reads indexes and manifests, parsed.

use anyhow::{Context as _, bail};

use super::Puller;
use crate::oci::{Document, Manifest};
use crate::platform::Platform;

impl Puller {
    /// What a tag or a digest leads to.
    ///
    /// Fails when the registry does not answer, or lacks it, and when it is not as the specification of images
    /// has it.
    pub(crate) fn parsed(&self, version: &str) -> anyhow::Result<Document> {
        let found = self.manifest(version)?;
        let (_, bytes) = found.with_context(|| format!("its registry lacks `{version}`"))?;
        Document::parse(&bytes).with_context(|| format!("`{version}` cannot be read"))
    }

    /// The manifest for a platform below `root`, which may be one itself; none where the index has none.
    ///
    /// Fails as [`Puller::parsed`] does, and for an index within an index.
    pub(crate) fn manifest_for(
        &self,
        root: &Document,
        platform: Platform,
    ) -> anyhow::Result<Option<Manifest>> {
        let index = match root {
            Document::Manifest(manifest) => return Ok(Some(manifest.clone())),
            Document::Index(index) => index,
        };
        let Some(entry) = index.image_for(platform) else {
            return Ok(None);
        };
        match self.parsed(entry.digest.as_str())? {
            Document::Manifest(manifest) => Ok(Some(manifest)),
            Document::Index(_) => bail!("`{}` is an index within an index", entry.digest),
        }
    }
}
