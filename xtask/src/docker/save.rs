//! `docker save`: an image in the engine's store as a stream of blobs, read in one pass.

use std::io::{self, Read};
use std::time::Duration;

use anyhow::Context as _;

use crate::exec::Exec;
use crate::oci::{self, Descriptor, Digest};

/// How long an engine may take to save an image; it takes seconds.
const LIMIT: Duration = Duration::from_mins(10);

/// The longest `index.json` in bytes; it is some hundred.
const LONGEST: u64 = 4 << 20;

/// Runs `docker save` with `args` and gives each blob to `blob`: its digest, its size and its
/// bytes. Returns the descriptors of the archive's `index.json`.
pub fn save(
    exec: &Exec,
    args: &[&str],
    mut blob: impl FnMut(Digest, u64, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Descriptor>> {
    let args: Vec<&str> = ["save"].iter().chain(args).copied().collect();
    super::run::stream(exec, &args, LIMIT, |stream| read_archive(stream, &mut blob))
}

/// Reads an image layout as an archive, which is what `docker save` writes.
pub fn read_archive(
    mut stream: &mut dyn Read,
    mut blob: impl FnMut(Digest, u64, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Descriptor>> {
    let found = read_entries(stream, &mut blob).context("failed to read the image's archive")?;
    // A writer into a pipe fails when nobody reads the padding.
    io::copy(&mut stream, &mut io::sink()).context("failed to read the image's archive")?;
    found
        .context("the image's archive has no `index.json`; hint: only Docker 25 or later writes it")
}

/// `None` when the archive is not an image layout.
fn read_entries(
    stream: &mut dyn Read,
    blob: &mut impl FnMut(Digest, u64, &mut dyn Read) -> anyhow::Result<()>,
) -> anyhow::Result<Option<Vec<Descriptor>>> {
    let mut roots = None;
    for entry in tar::Archive::new(stream).entries()? {
        let mut entry = entry?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path.trim_start_matches("./");
        if path == "index.json" {
            let mut bytes = Vec::new();
            entry.take(LONGEST).read_to_end(&mut bytes)?;
            roots = Some(oci::roots(&bytes).context("its `index.json` is no index")?);
        } else if let Some(digest) = digest(path).filter(|_| entry.header().entry_type().is_file())
        {
            blob(digest, entry.size(), &mut entry)?;
        }
    }
    Ok(roots)
}

/// The digest that a file of the layout is named by.
fn digest(path: &str) -> Option<Digest> {
    let hex = path.strip_prefix("blobs/sha256/")?;
    format!("sha256:{hex}").parse().ok()
}
