//! Stand-ins for the base images: brought into the cache, then into the registry.

use std::path::Path;

use anyhow::Result;

use crate::{fetch::Fetcher, layout::Layout};

/// Makes sure that the registry at `registry` (`127.0.0.1:PORT`) holds every base image.
pub(crate) fn ensure(
    _layout: &Layout,
    _fetcher: &Fetcher,
    _docker: &Path,
    _registry: &str,
) -> Result<()> {
    Ok(())
}
