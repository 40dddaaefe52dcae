//! Every tag of a repository, as libgit2 reads it.
//!
//! libgit2's list of references skips a tag whose file is broken, or gives the older value that is
//! packed under the same name. Either way a version goes missing without an error, and `latest`
//! could move down. So every file under `refs/tags` is looked up by its name first: that fails
//! where the list is silent.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use git2::{ErrorClass, ErrorCode, ObjectType, Odb, Oid, Reference, Repository};

use crate::exec;
use crate::printable;

const TAGS: &str = "refs/tags/";

/// A tag, resolved or not.
pub(super) struct TagRef {
    pub(super) name: Vec<u8>,
    /// What it leads to. Before [`Reader::resolve`] that can be a tag object.
    pub(super) target: Oid,
    /// The target's kind, once it is known.
    kind: Option<ObjectType>,
}

pub(super) struct Reader<'repo> {
    repo: &'repo Repository,
    odb: Odb<'repo>,
}

impl<'repo> Reader<'repo> {
    pub(super) fn new(repo: &'repo Repository) -> anyhow::Result<Reader<'repo>> {
        let odb = repo.odb().context("failed to open git's objects")?;
        Ok(Reader { repo, odb })
    }

    /// Reads every tag, in no order. Those in files of their own are resolved.
    ///
    /// Fails when one is broken.
    pub(super) fn tags(&self) -> anyhow::Result<Vec<TagRef>> {
        let mut tags = Vec::new();
        let mut loose = HashSet::new();
        // Before the list: git moves tags from their files to the packed ones, and never back.
        for path in files(&self.repo.commondir().join(TAGS))? {
            if let Some(reference) = self.look_up(&path)? {
                let mut tag = self.tag(&reference)?;
                self.resolve(&mut tag)?;
                tags.push(tag);
                loose.insert(reference.name_bytes().to_owned());
            }
        }
        let failed = || {
            let folder = self.repo.commondir().display();
            format!(
                "failed to list the tags in `{folder}`; hint: `git fsck` says what is broken, a \
                 new clone has every published tag"
            )
        };
        let list = self.repo.references_glob(&format!("{TAGS}*"));
        for reference in list.with_context(failed)? {
            let reference = reference.with_context(failed)?;
            if loose.is_empty() || !loose.contains(reference.name_bytes()) {
                tags.push(self.tag(&reference)?);
            }
        }
        Ok(tags)
    }

    /// The reference that a file holds; `None` when git ignores a file of that name.
    fn look_up(&self, path: &Path) -> anyhow::Result<Option<Reference<'repo>>> {
        let name = path.strip_prefix(self.repo.commondir()).unwrap_or(path);
        // A name that is not UTF-8 is not a version, and libgit2 cannot look it up.
        let Some(name) = name.to_str() else {
            return Ok(None);
        };
        let file = path.display();
        let tag = name.strip_prefix(TAGS).unwrap_or(name);
        match self.repo.find_reference(name) {
            Ok(reference) => Ok(Some(reference)),
            // Locks and the like: `v1.0.0.lock`, `.DS_Store`.
            Err(error) if error.code() == ErrorCode::InvalidSpec => Ok(None),
            // Deleted since it was listed; a link that leads nowhere is still there.
            Err(error) if error.code() == ErrorCode::NotFound && !is_there(path) => Ok(None),
            Err(error) if error.class() == ErrorClass::Os => Err(anyhow!(error).context(format!(
                "failed to read the tag `{tag}`; hint: `ls -l {file}` shows who may"
            ))),
            Err(error) => Err(anyhow!(error).context(broken(tag.as_bytes(), path))),
        }
    }

    fn tag(&self, reference: &Reference<'_>) -> anyhow::Result<TagRef> {
        let full_name = reference.name_bytes();
        let name = full_name.strip_prefix(TAGS.as_bytes()).unwrap_or(full_name);
        let direct = reference.target_peel().or_else(|| reference.target());
        let symbolic = || reference.resolve().ok()?.target();
        let target = direct.or_else(symbolic).with_context(|| {
            // Symbolic ones are never packed.
            let folder = self.repo.commondir().join(TAGS);
            broken(name, &folder.join(printable::bytes(name)))
        })?;
        Ok(TagRef {
            name: name.to_owned(),
            target,
            kind: None,
        })
    }

    /// Follows a tag to the end, and returns the kind of object there.
    ///
    /// Fails when an object on the way is missing.
    pub(super) fn resolve(&self, tag: &mut TagRef) -> anyhow::Result<ObjectType> {
        if let Some(kind) = tag.kind {
            return Ok(kind);
        }
        let name = &tag.name;
        let header = self.odb.read_header(tag.target);
        let (_, mut kind) = header.with_context(|| missing(name, tag.target))?;
        while kind == ObjectType::Tag {
            let object = self.repo.find_tag(tag.target).map_err(|error| {
                let is_missing = error.code() == ErrorCode::NotFound;
                let say = if is_missing { missing } else { unreadable };
                anyhow!(error).context(say(name, tag.target))
            })?;
            tag.target = object.target_id();
            kind = object
                .target_type()
                .with_context(|| missing(name, tag.target))?;
        }
        tag.kind = Some(kind);
        Ok(kind)
    }
}

/// The files in a folder and below it. A folder that does not exist has no files.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
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
            let is_folder = entry.file_type().with_context(failed)?.is_dir();
            let list = if is_folder { &mut folders } else { &mut files };
            list.push(entry.path());
        }
    }
    Ok(files)
}

fn is_there(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

fn broken(name: &[u8], path: &Path) -> String {
    let path = path.display().to_string();
    let remove = exec::quoted("rm", &[&path]);
    format!(
        "the tag `{}` is broken: `{path}` names no object; hint: `{remove} && git fetch --tags`",
        printable::bytes(name)
    )
}

/// git reads less of a tag object than libgit2 does, and `git pack-refs` writes down what it leads to.
fn unreadable(name: &[u8], id: Oid) -> String {
    format!(
        "libgit2 cannot read the tag `{}` (object `{id}`); hint: `git pack-refs --all` writes \
         down what it leads to",
        printable::bytes(name)
    )
}

fn missing(name: &[u8], id: Oid) -> String {
    let name = printable::bytes(name);
    let forget = exec::quoted("git", &["tag", "-d", &name]);
    format!(
        "the tag `{name}` leads to the object `{id}`, which is broken or not here; \
         hint: `{forget} && git fetch --tags`"
    )
}
