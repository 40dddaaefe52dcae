//! Stand-ins for the base images and BuildKit's: brought into the cache, then into the registry.

mod alpine;
mod apk_repo;
mod buildkit;
mod node;
mod packages;
mod published;
mod rootfs;
mod rust;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, anyhow};

use self::published::{index_args, mutate_args, published_recipe};
use self::rootfs::{Arch, pack};
use crate::{
    engine::Engine,
    fetch::Fetcher,
    host::require,
    layout::{Layout, fnv1a, make_dir, rename},
    report::note,
    tools::Tools,
};

/// What bases are made of.
pub(crate) struct Sources<'a> {
    pub(crate) fetcher: &'a Fetcher,
    pub(crate) tools: &'a Tools,
}

/// An image of the registry that stands in for the one of that name on Docker Hub.
#[derive(Debug)]
struct Base {
    namespace: &'static str,
    name: &'static str,
    tag: &'static str,
    architectures: &'static [Arch],
    /// Its configuration, as arguments of `crane mutate`.
    config: &'static [&'static str],
    /// gzip's, for its layer.
    level: u8,
    build: fn(&Sources, Arch, &Path) -> Result<()>,
    /// The sources that decide what is in it; when one changes, it is built anew.
    recipe: &'static [&'static str],
}

const BASES: [Base; 3] = [
    Base {
        namespace: "library",
        name: "node",
        tag: "20-alpine",
        architectures: &[Arch::Amd64, Arch::Arm64],
        config: &node::CONFIG,
        // As Docker Hub's is packed: the size of what is built on it is measured.
        level: 6,
        build: |sources, arch, root| node::build(sources.fetcher, arch, root),
        recipe: &[
            include_str!("bases/node.rs"),
            include_str!("bases/alpine.rs"),
            include_str!("bases/apk_repo.rs"),
            include_str!("bases/packages.rs"),
            include_str!("bases/rootfs.rs"),
        ],
    },
    Base {
        namespace: "library",
        name: "rust",
        tag: "1.95-alpine3.23",
        architectures: &[Arch::Amd64],
        config: &rust::CONFIG,
        level: 1,
        build: |sources, arch, root| rust::build(sources.fetcher, arch, root),
        recipe: &[
            include_str!("bases/rust.rs"),
            include_str!("bases/rootfs.rs"),
        ],
    },
    Base {
        namespace: "moby",
        name: "buildkit",
        tag: "buildx-stable-1",
        architectures: &[Arch::Amd64],
        config: &buildkit::CONFIG,
        level: 1,
        build: |sources, _arch, root| buildkit::build(&sources.tools.bin(), root),
        recipe: &[
            include_str!("bases/buildkit.rs"),
            include_str!("bases/rootfs.rs"),
            include_str!("buildkit.rs"),
            include_str!("exec.rs"),
            include_str!("http.rs"),
            include_str!("tools.rs"),
            include_str!("tools/packages.rs"),
        ],
    },
];

/// Programs that a build needs, and the packages that bring them.
const PROGRAMS: [(&str, &str); 3] = [
    ("openssl", "openssl"),
    ("qemu-img", "qemu-utils"),
    ("unshare", "util-linux"),
];

/// Makes sure that the registry at `registry` (`127.0.0.1:PORT`) holds every base image.
pub(crate) fn ensure(
    layout: &Layout,
    sources: &Sources,
    engine: &Engine,
    registry: &str,
) -> Result<()> {
    for base in &BASES {
        let reference = base.reference(registry);
        if published_recipe(engine, &reference).as_deref() != Some(&base.key()) {
            base.publish(layout, sources, engine, registry)?;
        }
    }
    Ok(())
}

impl Base {
    fn reference(&self, registry: &str) -> String {
        format!("{registry}/{}/{}:{}", self.namespace, self.name, self.tag)
    }

    fn key(&self) -> String {
        let recipe = [&[self.name, self.tag], self.config, self.recipe]
            .concat()
            .concat();
        let recipe = format!("{recipe}{}", self.level);
        format!("{:016x}", fnv1a(recipe.as_bytes()))
    }

    /// Publishes it, its name last: until then the name leads to the image that was there before.
    fn publish(
        &self,
        layout: &Layout,
        sources: &Sources,
        engine: &Engine,
        registry: &str,
    ) -> Result<()> {
        let Self { name, tag, .. } = self;
        let mut parts = Vec::new();
        for arch in self.architectures {
            let archive = self.archive(&layout.cache.join("bases"), sources, *arch)?;
            let part = format!("{registry}/parts/{name}:{tag}-{}", arch.name());
            // An index of Docker's own kind has no annotations.
            let append = ["append", "--oci-empty-base", "--new_tag", &part];
            let push = engine.crane().args(append);
            let configure = engine.crane().args(mutate_args(self.config, *arch, &part));
            timed(&format!("pushing {name}:{tag} for {}", arch.name()), || {
                let push = push.arg("--new_layer").arg(&archive);
                push.run().map_err(|err| {
                    let archive = archive.display();
                    anyhow!(
                        "{err:#}\nhint: if `{archive}` is damaged, remove it: it will be made again"
                    )
                })?;
                configure.run()
            })?;
            parts.push(part);
        }
        let reference = self.reference(registry);
        let index = engine.docker().args(index_args(&reference, &self.key()));
        index.args(parts).run()
    }

    /// Its archive in the cache's folder `dir`, made when it is not there.
    fn archive(&self, dir: &Path, sources: &Sources, arch: Arch) -> Result<PathBuf> {
        let name = format!("{}-{}-{}", self.name, self.tag, arch.name());
        let archive = dir.join(format!("{name}-{}.tar.gz", self.key()));
        if archive.exists() {
            return Ok(archive);
        }
        require(&PROGRAMS)?;
        make_dir(dir)?;
        let title = format!("making {}:{} for {}", self.name, self.tag, arch.name());
        timed(&title, || {
            let scratch = sources.fetcher.scratch()?;
            let (root, packed) = (scratch.path().join("root"), scratch.path().join("packed"));
            make_dir(&root)?;
            (self.build)(sources, arch, &root)?;
            pack(&root, self.level, &packed)?;
            remove_files(dir, &format!("{name}-"))?;
            rename(&packed, &archive)
        })?;
        Ok(archive)
    }
}

/// Runs a long step, and prints how long it took.
fn timed<T>(title: &str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    let begun = Instant::now();
    note(title);
    let value = run().with_context(|| format!("failed at {title}"))?;
    note(&format!("  took {:.1} s", begun.elapsed().as_secs_f64()));
    Ok(value)
}

/// Removes the files of `dir` whose names start with `prefix`: those that an older recipe has made.
fn remove_files(dir: &Path, prefix: &str) -> Result<()> {
    let listed = || format!("failed to list `{}`", dir.display());
    for entry in fs::read_dir(dir).with_context(listed)? {
        let file = entry.with_context(listed)?.path();
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(prefix) {
            fs::remove_file(&file)
                .with_context(|| format!("failed to remove `{}`", file.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_base_has_a_key_of_its_own_that_changes_with_its_recipe() {
        let [node, rust, buildkit] = BASES;
        assert_ne!(node.key(), rust.key());
        assert_ne!(rust.key(), buildkit.key());
        let (config, recipe) = (node.config, node.recipe);
        let key = node.key();
        assert_eq!(key.len(), 16);
        for other in [
            Base {
                config: &config[1..],
                ..node
            },
            Base {
                recipe: &recipe[1..],
                ..node
            },
            Base {
                tag: "22-alpine",
                ..node
            },
            Base { level: 9, ..node },
        ] {
            assert_ne!(other.key(), key);
        }
    }
}
