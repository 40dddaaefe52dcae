//! Downloads through the machine's own package managers, each checked and kept whole in the cache.

use std::{
    cell::{OnceCell, RefCell},
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    apt::{Apt, parse_uris, wanted},
    exec::Cmd,
    layout::{make_dir, rename, write},
    sources::{self, Mirror},
};

/// Brings packages into the cache. The caller holds the cache's lock.
#[derive(Debug)]
pub(crate) struct Fetcher {
    cache: PathBuf,
    mirror: OnceCell<Mirror>,
    updated: RefCell<BTreeSet<String>>,
}

/// Whether a package comes alone or with all that it depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dependencies {
    Without,
    With,
}

/// A file of a language's package registry, pinned by its content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinned {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) sha256: &'static str,
}

/// How many packages one apt downloads.
const BATCH: usize = 16;

impl Fetcher {
    pub(crate) fn new(cache: &Path) -> Self {
        Self {
            cache: cache.to_owned(),
            mirror: OnceCell::new(),
            updated: RefCell::default(),
        }
    }

    /// The Debian mirror of this machine.
    fn mirror(&self) -> Result<&Mirror> {
        if let Some(mirror) = self.mirror.get() {
            return Ok(mirror);
        }
        let mirror = sources::mirror()?;
        Ok(self.mirror.get_or_init(|| mirror))
    }

    /// A fresh folder in the cache, on the same file system as all that is kept there.
    pub(crate) fn scratch(&self) -> Result<tempfile::TempDir> {
        let parent = self.cache.join("tmp");
        make_dir(&parent)?;
        tempfile::tempdir_in(&parent)
            .with_context(|| format!("failed to make a folder in `{}`", parent.display()))
    }

    /// Whether `suite` has a package of that name. Fails when the mirror cannot be reached.
    pub(crate) fn has(&self, suite: &str, arch: &str, name: &str) -> Result<bool> {
        let apt = self.apt(&[suite], arch)?;
        Ok(apt.get("download").args(["--print-uris", name]).succeeds())
    }

    /// One Debian package of `suite`, without what it depends on.
    pub(crate) fn deb(&self, suite: &str, arch: &str, name: &str) -> Result<PathBuf> {
        let debs = self.debs(&[suite], arch, &[name], Dependencies::Without)?;
        debs.into_iter()
            .next()
            .with_context(|| format!("apt offers no file for `{name}`"))
    }

    /// Debian packages of `suites`, signatures checked, without touching the system's own apt.
    pub(crate) fn debs(
        &self,
        suites: &[&str],
        arch: &str,
        names: &[&str],
        dependencies: Dependencies,
    ) -> Result<Vec<PathBuf>> {
        let apt = self.apt(suites, arch)?;
        let list = match dependencies {
            Dependencies::Without => apt.get("download"),
            Dependencies::With => apt
                .get("install")
                .args(["--yes", "--no-install-recommends"]),
        };
        let listed = list.arg("--print-uris").args(names).read()?;
        let files: Vec<PathBuf> = parse_uris(&listed)
            .map(|file| self.cache.join("debs").join(file))
            .collect();
        if files.is_empty() {
            bail!("apt lists no file for `{}`", names.join(" "));
        }
        make_dir(&self.cache.join("debs"))?;
        let missing: Vec<&PathBuf> = files.iter().filter(|file| !file.exists()).collect();
        // In batches: apt reads its lists anew at each start, and a run that is killed keeps its finished batches.
        for batch in missing.chunks(BATCH) {
            let wanted: Result<Vec<String>> =
                batch.iter().map(|file| wanted(&file_name(file))).collect();
            let temp = self.scratch()?;
            apt.get("download").args(wanted?).dir(temp.path()).run()?;
            for file in batch {
                rename(&temp.path().join(file_name(file)), file)?;
            }
        }
        Ok(files)
    }

    /// An apt of its own for `suites`, with fresh lists.
    fn apt(&self, suites: &[&str], arch: &str) -> Result<Apt> {
        let name = format!("{}-{arch}", suites.join("+"));
        let apt = Apt::new(&self.cache.join("apt").join(&name), arch);
        if !self.updated.borrow().contains(&name) {
            apt.update(suites, self.mirror()?)?;
            self.updated.borrow_mut().insert(name);
        }
        Ok(apt)
    }

    /// A wheel from the Python package index that pip is configured with, for `platform`.
    pub(crate) fn wheel(&self, wheel: &Pinned, platform: &str) -> Result<PathBuf> {
        self.pinned(wheel, "whl", |dir| {
            let line = format!(
                "{}=={} --hash=sha256:{}\n",
                wheel.name, wheel.version, wheel.sha256
            );
            write(&dir.join("requirements"), &line)?;
            let out = dir.join("out");
            let pip = [
                "-m",
                "pip",
                "download",
                "--quiet",
                "--no-deps",
                "--only-binary=:all:",
                "--require-hashes",
            ];
            let pip =
                Cmd::new("python3")
                    .args(pip)
                    .args(["--platform", platform, "-r", "requirements"]);
            pip.arg("--dest").arg(&out).dir(dir).run()?;
            only_file(&out)
        })
    }

    /// A tarball from the npm registry that `npm` is configured with; `npm` is called when the cache lacks the tarball.
    pub(crate) fn npm(
        &self,
        package: &Pinned,
        npm: impl FnOnce() -> Result<Cmd>,
    ) -> Result<PathBuf> {
        self.pinned(package, "tgz", |dir| {
            let spec = format!("{}@{}", package.name, package.version);
            npm()?.args(["pack", "--silent", &spec]).dir(dir).run()?;
            only_file(dir)
        })
    }

    /// The file with the pinned content. When the cache lacks it, `get` downloads it into the folder it is given.
    fn pinned(
        &self,
        pin: &Pinned,
        ext: &str,
        get: impl FnOnce(&Path) -> Result<PathBuf>,
    ) -> Result<PathBuf> {
        let kept = self
            .cache
            .join("pinned")
            .join(format!("{}.{ext}", pin.sha256));
        if kept.exists() {
            return Ok(kept);
        }
        let temp = self.scratch()?;
        let file = get(temp.path())?;
        let found = sha256(&file)?;
        if found != pin.sha256 {
            bail!(
                "`{}` {} has another content than pinned: sha256 is {found}",
                pin.name,
                pin.version
            );
        }
        make_dir(&self.cache.join("pinned"))?;
        rename(&file, &kept)?;
        Ok(kept)
    }
}

/// The sha256 of a file's content, in hex.
pub(crate) fn sha256(file: &Path) -> Result<String> {
    let line = Cmd::new("sha256sum").arg("--").arg(file).read()?;
    // A name with special characters is escaped, and the line then starts with a backslash.
    let sum = line.trim_start_matches('\\').split_whitespace().next();
    sum.map(str::to_owned)
        .with_context(|| format!("sha256sum said nothing about `{}`", file.display()))
}

fn only_file(dir: &Path) -> Result<PathBuf> {
    let listed = || format!("failed to list `{}`", dir.display());
    let mut files = fs::read_dir(dir).with_context(listed)?;
    match (files.next(), files.next()) {
        (Some(file), None) => Ok(file.with_context(listed)?.path()),
        (None, _) => bail!("the download left no file in `{}`", dir.display()),
        (Some(_), Some(_)) => bail!("the download left several files in `{}`", dir.display()),
    }
}

fn file_name(file: &Path) -> String {
    file.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_content_than_pinned_is_refused_and_not_kept() {
        let dir = tempfile::tempdir().unwrap();
        let fetcher = Fetcher::new(dir.path());
        let pin = Pinned {
            name: "x",
            version: "1",
            sha256: "00",
        };
        let get = |dir: &Path| {
            fs::write(dir.join("x"), "abc")?;
            Ok(dir.join("x"))
        };
        let err = fetcher.pinned(&pin, "whl", get).unwrap_err().to_string();
        assert_eq!(
            err,
            "`x` 1 has another content than pinned: sha256 is \
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert!(!dir.path().join("pinned").exists());
        assert_eq!(fs::read_dir(dir.path().join("tmp")).unwrap().count(), 0);
    }
}
