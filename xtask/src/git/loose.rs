//! The tags that are files of their own.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::Context as _;
use git2::{Oid, Repository};

use super::{printable, refs};
use crate::exec;

/// So many files are read at a time: a disk is quicker with more than one request in hand.
const READERS: usize = 8;
/// For fewer files than this a thread is not worth its start.
const PART: usize = 500;

/// Reads the tags at and below `refs/tags` into the form of `packed-refs`.
pub(super) fn read(repo: &Repository) -> anyhow::Result<Vec<u8>> {
    let folder = repo.commondir().join("refs/tags");
    let mut loose = Vec::new();
    for (path, text) in read_files(&list(&folder)?)? {
        let name = path.as_os_str().as_bytes();
        let name = name.get(folder.as_os_str().len() + 1..).unwrap_or(name);
        let id = target(repo, &text).with_context(|| {
            let remove = exec::quoted("rm", &[path.display().to_string()]);
            format!(
                "the tag `{}` is broken: `{}` holds no object id; \
                 hint: `{remove} && git fetch --tags`",
                printable(name),
                path.display()
            )
        })?;
        refs::write_tag(repo, name, &id, &mut loose)?;
    }
    Ok(loose)
}

/// The files and what is in them.
fn read_files(paths: &[PathBuf]) -> anyhow::Result<Vec<(&Path, Vec<u8>)>> {
    let size = paths.len().div_ceil(READERS).max(PART);
    thread::scope(|scope| {
        let parts = paths.chunks(size);
        let readers: Vec<_> = parts.map(|part| scope.spawn(|| read_part(part))).collect();
        let mut files = Vec::with_capacity(paths.len());
        for reader in readers {
            files.extend(reader.join().unwrap_or_else(|panic| resume_unwind(panic))?);
        }
        Ok(files)
    })
}

fn read_part(paths: &[PathBuf]) -> anyhow::Result<Vec<(&Path, Vec<u8>)>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        // Gone since it was listed, as when git packs the references: then it is packed.
        if let Some(text) = read_line(path)? {
            files.push((path.as_path(), text));
        }
    }
    Ok(files)
}

/// What the file of a reference names: an object, or another reference.
fn target(repo: &Repository, text: &[u8]) -> anyhow::Result<Oid> {
    let text = text.trim_ascii_end();
    if let Some(target) = text.strip_prefix(b"ref: ") {
        return Ok(repo.refname_to_id(&String::from_utf8_lossy(target))?);
    }
    refs::oid(text.try_into()?)
}

/// The files that git takes for references.
fn list(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let failed = || format!("failed to list `{}`", folder.display());
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            result => result.with_context(failed)?,
        };
        for entry in entries {
            let entry = entry.with_context(failed)?;
            let name = entry.file_name();
            // As git does: `.DS_Store` and the like are no references, nor are its own locks.
            if name.as_bytes().starts_with(b".") || name.as_bytes().ends_with(b".lock") {
                continue;
            }
            if entry.file_type().with_context(failed)?.is_dir() {
                folders.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    Ok(files)
}

/// The first line of a file, if the file is there. `fs::read` would ask for the size before and
/// for the end after it.
fn read_line(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let read = || {
        let mut text = [0; 512];
        let size = File::open(path)?.read(&mut text)?;
        Ok(text[..size].to_owned())
    };
    if_there(read(), path)
}

/// What was read of the file at `path`; none when there is no such file.
pub(super) fn if_there<T>(read: io::Result<T>, path: &Path) -> anyhow::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        read => read
            .map(Some)
            .with_context(|| format!("failed to read `{}`", path.display())),
    }
}
