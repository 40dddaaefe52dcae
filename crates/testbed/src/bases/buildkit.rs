//! The stand-in for `moby/buildkit:buildx-stable-1`: the engine's own BuildKit in a container, for builders of the
//! docker-container driver. A `RUN` of what it builds needs `--network=none`, and a `buildkitd.toml` is not read.

use std::{env, path::Path};

use anyhow::{Context as _, Result};

use super::rootfs::script;

const PROGRAMS: [&str; 4] = ["dockerd", "containerd", "containerd-shim-runc-v2", "runc"];

pub(crate) const CONFIG: [&str; 2] = ["--env=PATH=/usr/bin", "--entrypoint=buildkitd"];

/// Makes the image's `root` of the test bed's `programs`, this one included (see [`crate::buildkit`]), and of
/// the libraries that they have on this machine.
pub(crate) fn build(programs: &Path, root: &Path) -> Result<()> {
    const COPY: &str = r#"
        cd "$1"
        mkdir -p tmp usr/bin
        cp "$2" usr/bin/buildkitd
        ln -s buildkitd usr/bin/buildctl
        cp "${@:3}" usr/bin/
        ldd "${@:2}" | awk '$2 == "=>" { print $3 } $1 ~ "^/.*[^:]$" { print $1 }' | sort -u |
            xargs cp --dereference --parents --target-directory .
    "#;
    let this = env::current_exe().context("failed to find this program's file")?;
    let programs = PROGRAMS.map(|name| programs.join(name));
    script(COPY).arg(root).arg(this).args(programs).run()
}
