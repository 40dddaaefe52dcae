//! The repository, in a Node base, that `apk add` takes its packages from: Debian's programs, packed for apk.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

use super::{
    alpine::Alpine,
    packages::{GIT, GLIBC, LIBRARIES, PROGRAMS, Package, apk_version, deb_name, named_debs},
    rootfs::{Arch, SUITES, script, unpack_debs},
};
use crate::{
    exec::Cmd,
    fetch::{Dependencies, Fetcher},
    layout::{make_dir, write},
};

/// Where the repository is in the image.
const HOME: &str = "usr/share/apk-repository";

/// Where apk looks for the keys that it trusts.
const KEYS: &str = "etc/apk/keys";

/// A repository in the making.
#[derive(Debug)]
pub(crate) struct Repository<'a> {
    alpine: &'a Alpine,
    arch: Arch,
    root: &'a Path,
    scratch: &'a Path,
}

/// What apk is told of a package.
#[derive(Debug)]
pub(crate) struct Info<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    pub(crate) depends: &'a str,
    /// A command to be run once its files are there.
    pub(crate) post_install: &'a str,
}

impl<'a> Repository<'a> {
    /// Starts a repository in `root`, with a key of its own that `root` trusts.
    pub(crate) fn new(
        alpine: &'a Alpine,
        arch: Arch,
        root: &'a Path,
        scratch: &'a Path,
    ) -> Result<Self> {
        let new = Self {
            alpine,
            arch,
            root,
            scratch,
        };
        let public = root.join(KEYS).join("agentgate-testbed.rsa.pub");
        let openssl = |args: &[&str]| Cmd::new("openssl").args(args).arg(new.key());
        openssl(&["genrsa", "-out"]).run()?;
        openssl(&["rsa", "-pubout", "-in"])
            .arg("-out")
            .arg(public)
            .run()?;
        make_dir(&new.home())?;
        let line = format!("ndx /{HOME}/APKINDEX.adb\n");
        write(&root.join("etc/apk/repositories"), &line)?;
        Ok(new)
    }

    fn home(&self) -> PathBuf {
        self.root.join(HOME)
    }

    fn key(&self) -> PathBuf {
        self.scratch.join("key.rsa")
    }

    /// Adds Debian's libraries and programs.
    pub(crate) fn add_debian(&self, fetcher: &Fetcher) -> Result<()> {
        let arch = self.arch.name();
        let mut debs = fetcher.debs(&SUITES, arch, &named_debs(), Dependencies::With)?;
        debs.extend(fetcher.debs(&SUITES, arch, &[GIT], Dependencies::Without)?);
        for package in [&GLIBC].into_iter().chain(&PROGRAMS) {
            let own = debs.extract_if(.., |deb| package.debs.contains(&deb_name(deb)));
            self.add_debs(package, &own.collect::<Vec<_>>())?;
        }
        self.add_debs(&LIBRARIES, &debs)
    }

    fn add_debs(&self, package: &Package, debs: &[PathBuf]) -> Result<()> {
        let first = package.debs[0];
        let mut named = debs.iter().filter(|deb| deb_name(deb) == first);
        let first = named
            .next()
            .with_context(|| format!("apt listed no package `{first}`"))?;
        let files = self.scratch.join(package.name);
        unpack_debs(debs, &files)?;
        script(package.prepare).dir(&files).run()?;
        let info = Info {
            name: package.name,
            version: &apk_version(first),
            depends: package.depends,
            post_install: package.post_install,
        };
        self.add(&info, &files)
    }

    /// Adds a package that holds what is in `files`.
    pub(crate) fn add(&self, info: &Info, files: &Path) -> Result<()> {
        let file = format!("{}-{}.apk", info.name, info.version);
        let mut mkpkg = self
            .alpine
            .apk("mkpkg")
            .args(["--compression", "deflate:4"])
            .args(info.args(self.arch))
            .arg("--sign-key")
            .arg(self.key())
            .arg("--files")
            .arg(files)
            .arg("--output")
            .arg(self.home().join(file));
        if !info.post_install.is_empty() {
            let file = self.scratch.join("post-install");
            write(&file, &format!("#!/bin/sh\n{}\n", info.post_install))?;
            mkpkg = mkpkg.arg(format!("--script=post-install:{}", file.display()));
        }
        mkpkg.run()
    }

    /// Writes the index of all that was added.
    pub(crate) fn finish(&self) -> Result<()> {
        let list = script(r#"printf '%s\n' "$1"/*.apk"#).arg(self.home());
        self.alpine
            .apk("mkndx")
            .arg("--keys-dir")
            .arg(self.root.join(KEYS))
            .arg("--sign-key")
            .arg(self.key())
            .arg("--output")
            .arg(self.home().join("APKINDEX.adb"))
            .args(list.read()?.lines())
            .run()
    }

    /// Installs `package` from the repository.
    pub(crate) fn install(&self, package: &str) -> Result<()> {
        // In the image the repository has another path than here.
        let list = self.scratch.join("repositories");
        let index = self.home().join("APKINDEX.adb");
        write(&list, &format!("ndx {}\n", index.display()))?;
        self.alpine
            .change("add", self.root, &list)
            .arg(package)
            .run()
    }
}

impl Info<'_> {
    /// The metadata, as `apk mkpkg` takes it.
    fn args(&self, arch: Arch) -> Vec<String> {
        let mut args = vec![
            format!("--info=name:{}", self.name),
            format!("--info=version:{}", self.version),
            format!("--info=arch:{}", arch.machine()),
            format!("--info=description:stand-in for Alpine's {}", self.name),
        ];
        if !self.depends.is_empty() {
            args.push(format!("--info=depends:{}", self.depends));
        }
        args
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_names_dependencies_only_when_it_has_any() {
        let git = Info {
            name: "git",
            version: "2.39.5-r0",
            depends: "debian-libs",
            post_install: "",
        };
        assert_eq!(
            git.args(Arch::Arm64),
            [
                "--info=name:git",
                "--info=version:2.39.5-r0",
                "--info=arch:aarch64",
                "--info=description:stand-in for Alpine's git",
                "--info=depends:debian-libs"
            ]
        );
        let alone = Info { depends: "", ..git };
        let args = alone.args(Arch::Amd64).join(" ");
        assert!(
            args.contains("arch:x86_64") && !args.contains("depends"),
            "{args}"
        );
    }
}
