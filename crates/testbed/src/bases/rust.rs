//! The stand-in for `rust:1.95-alpine3.23`: Debian's Rust for static binaries of both architectures.

use std::path::Path;

use anyhow::Result;

use super::rootfs::{Arch, SUITES, script, unpack_debs};
use crate::fetch::{Dependencies, Fetcher};

/// A compiler, a linker for each architecture, and what a build step takes for granted.
const PACKAGES: [&str; 20] = [
    "base-files",
    "base-passwd",
    "bash",
    "ca-certificates",
    "cargo-web",
    "coreutils",
    "dash",
    "findutils",
    "gcc",
    "gcc-aarch64-linux-gnu",
    "grep",
    "gzip",
    "hostname",
    "libc-bin",
    "libc6-dev",
    "libc6-dev-arm64-cross",
    "mawk",
    "rustc-web",
    "sed",
    "tar",
];

/// How the image starts and where the official one has its tools, and the linker that cargo needs to be told of.
pub(crate) const CONFIG: [&str; 6] = [
    "--env=PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "--env=CARGO_HOME=/usr/local/cargo",
    "--env=RUST_VERSION=1.96.0",
    "--env=CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc",
    "--workdir=/",
    "--cmd=/bin/sh",
];

/// Makes the image's `root`. Unpacking the packages is enough for compiling: nothing needs to be installed in it.
pub(crate) fn build(fetcher: &Fetcher, _arch: Arch, root: &Path) -> Result<()> {
    // Debian's programs expect this layout, which no package brings.
    const PREPARE: &str = r#"
        cd "$1"
        mkdir -p usr/{bin,sbin,lib,lib64}
        ln -s usr/{bin,sbin,lib,lib64} ."#;
    // What the packages' scripts would have done; and without what only C programs are compiled or examined with.
    const FINISH: &str = r#"
        cd "$1"
        rm -f usr/bin/*{gcov,gp-,lto-dump}* usr/lib/gcc*/*/*/{lto1,lib*san*} usr/{,*-linux-gnu/}lib/{,*-linux-gnu/}lib*san.*
        cp usr/share/base-passwd/passwd.master etc/passwd
        cp usr/share/base-passwd/group.master etc/group
        ln -s gcc usr/bin/cc
        ln -s mawk usr/bin/awk
        cat usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
        mkdir -p usr/local/cargo/bin"#;
    script(PREPARE).arg(root).run()?;
    unpack_debs(
        &fetcher.debs(&SUITES, "amd64", &PACKAGES, Dependencies::With)?,
        root,
    )?;
    let standard_library = fetcher.debs(
        &SUITES,
        "arm64",
        &["libstd-rust-web-dev"],
        Dependencies::Without,
    )?;
    unpack_debs(&standard_library, root)?;
    script(FINISH).arg(root).run()
}
