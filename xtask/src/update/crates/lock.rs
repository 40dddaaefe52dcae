//! What `Cargo.lock` says, how two of them differ, and whether what cargo made may take the old one's place.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The crate whose program is in the image.
const IN_IMAGE: &str = "agent-entrypoint";

/// A lock, as far as it counts here.
#[derive(Debug, Deserialize)]
pub(super) struct Lock {
    package: Vec<Package>,
}

#[derive(Debug, Deserialize)]
struct Package {
    name: String,
    version: String,
    /// None for a crate of the workspace.
    source: Option<String>,
    checksum: Option<String>,
    /// Each a name, with its version where the lock has several of it.
    #[serde(default)]
    dependencies: Vec<String>,
}

/// What happened to the crates of one name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) name: String,
    /// Versions that are gone.
    pub(super) from: Vec<String>,
    /// Versions that are new.
    pub(super) to: Vec<String>,
}

impl Change {
    /// `serde 1.0.1 → 1.0.2`, `new 1.0.0 is added`, `old 1.0.0 is removed`.
    pub(super) fn text(&self) -> String {
        let (name, from, to) = (&self.name, self.from.join(", "), self.to.join(", "));
        match (&*from, &*to) {
            ("", to) => format!("{name} {to} is added"),
            (from, "") => format!("{name} {from} is removed"),
            (from, to) => format!("{name} {from} → {to}"),
        }
    }
}

impl Lock {
    /// Fails when `text` is no lock, or a name or a version in it could be taken for something else.
    pub(super) fn parse(text: &str) -> anyhow::Result<Lock> {
        let lock: Lock = toml::from_str(text).context("it is not a Cargo.lock")?;
        let is_word = |word: &str| {
            let is_known = |c: char| c.is_ascii_alphanumeric() || "-_.+".contains(c);
            !word.is_empty() && word.chars().all(is_known)
        };
        let is_bad = |package: &&Package| !is_word(&package.name) || !is_word(&package.version);
        match lock.package.iter().find(is_bad) {
            Some(bad) => bail!(
                "it has a crate with an odd name: {:?} {:?}",
                bad.name,
                bad.version
            ),
            None => Ok(lock),
        }
    }

    /// How many crates come from elsewhere.
    pub(super) fn count(&self) -> usize {
        self.package
            .iter()
            .filter(|package| package.source.is_some())
            .count()
    }

    /// What is another in `new`, by name.
    pub(super) fn changes(&self, new: &Lock) -> Vec<Change> {
        let (old, new) = (self.versions(), new.versions());
        let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        let nothing = BTreeSet::new();
        let changes = names.into_iter().map(|name| {
            let [old, new] = [&old, &new].map(|all| all.get(name).unwrap_or(&nothing));
            let without = |one: &BTreeSet<&str>, other: &BTreeSet<&str>| {
                one.difference(other)
                    .map(|version| (*version).to_owned())
                    .collect()
            };
            Change {
                name: name.to_owned(),
                from: without(old, new),
                to: without(new, old),
            }
        });
        changes
            .filter(|change| !change.from.is_empty() || !change.to.is_empty())
            .collect()
    }

    fn versions(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for package in &self.package {
            versions
                .entry(&package.name)
                .or_default()
                .insert(&package.version);
        }
        versions
    }

    /// Checks that `new` may take this one's place: it has the workspace's own crates as they were, each other one
    /// with its hash, and from nowhere else than before. A registry that only one machine knows is of no use to others
    /// (dependabot/dependabot-core#4922).
    pub(super) fn check(&self, new: &Lock) -> anyhow::Result<()> {
        if self.own() != new.own() {
            bail!("the lock has other crates of the workspace");
        }
        let sources: BTreeSet<&str> = self
            .package
            .iter()
            .filter_map(|one| one.source.as_deref())
            .collect();
        for package in &new.package {
            let Some(source) = &package.source else {
                continue;
            };
            if !sources.contains(&**source) {
                bail!(
                    "the lock takes `{}` from {source:?}, where no crate came from before",
                    package.name
                );
            }
            let is_hash =
                |hash: &str| hash.len() == 64 && hash.bytes().all(|c| c.is_ascii_hexdigit());
            if !package.checksum.as_deref().is_some_and(is_hash) {
                bail!("the lock has no hash of `{}`", package.name);
            }
        }
        Ok(())
    }

    fn own(&self) -> BTreeSet<(&str, &str)> {
        let own = self
            .package
            .iter()
            .filter(|package| package.source.is_none());
        own.map(|package| (&*package.name, &*package.version))
            .collect()
    }

    /// The names of the crates that the image's program may be made of, and of those that its tests may need: a lock
    /// does not tell them apart.
    pub(super) fn in_image(&self) -> BTreeSet<&str> {
        let mut found = BTreeSet::new();
        let mut left = vec![IN_IMAGE];
        while let Some(name) = left.pop() {
            if !found.insert(name) {
                continue;
            }
            let packages = self.package.iter().filter(|package| package.name == name);
            let needed = packages.flat_map(|package| &package.dependencies);
            left.extend(needed.filter_map(|needed| needed.split(' ').next()));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REGISTRY: &str = "registry+https://a.example/index";

    /// A lock of words: a name, `=`, a version, and after `:` what it needs, with a `~` before a version.
    fn lock(words: &str) -> String {
        let package = |word: &str| {
            let (word, needs) = word.split_once(':').unwrap_or((word, ""));
            let (name, version) = word.split_once('=').unwrap();
            let needs = needs.replace('~', " ");
            let needs: Vec<String> = needs
                .split_terminator(',')
                .map(|need| format!("{need:?}"))
                .collect();
            let source = match name {
                "agent-entrypoint" | "xtask" => String::new(),
                _ => format!("source = {REGISTRY:?}\nchecksum = {:?}\n", "0".repeat(64)),
            };
            format!(
                "[[package]]\nname = {name:?}\nversion = {version:?}\n{source}dependencies = [{}]\n",
                needs.join(", ")
            )
        };
        let packages: Vec<String> = words.split_whitespace().map(package).collect();
        format!("version = 4\n\n{}", packages.concat())
    }

    fn parsed(words: &str) -> Lock {
        Lock::parse(&lock(words)).unwrap()
    }

    #[test]
    fn versions_that_went_and_came_are_paired_by_name() {
        let old = parsed("a=1.0.0 b=1.0.0 b=2.0.0 c=1.0.0 d=1.0.0+x");
        let new = parsed("a=1.0.1 b=1.0.0 b=2.1.0 d=1.0.0+x e=0.1.0");
        let texts: Vec<String> = old.changes(&new).iter().map(Change::text).collect();
        assert_eq!(
            texts,
            [
                "a 1.0.0 → 1.0.1",
                "b 2.0.0 → 2.1.0",
                "c 1.0.0 is removed",
                "e 0.1.0 is added"
            ]
        );
        assert_eq!((old.changes(&old), old.count()), (Vec::new(), 5));
    }

    #[test]
    fn only_a_whole_lock_takes_the_place() {
        let text = lock("xtask=0.1.0:a a=1.0.0");
        let old = Lock::parse(&text).unwrap();
        old.check(&parsed("xtask=0.1.0:a a=1.0.1 b=1.0.0")).unwrap();
        for (from, to, why) in [
            (
                REGISTRY,
                "registry+http://localhost/index",
                "where no crate came from before",
            ),
            ("checksum = \"0", "checksum = \"x", "no hash of `a`"),
            ("checksum", "was", "no hash of `a`"),
            ("\"0.1.0\"", "\"0.1.1\"", "other crates of the workspace"),
            ("\"xtask\"", "\"ytask\"", "other crates of the workspace"),
        ] {
            let new = Lock::parse(&text.replace(from, to)).unwrap();
            let error = old.check(&new).unwrap_err().to_string();
            assert!(error.contains(why), "{to}: {error}");
        }
        for bad in ["", "[[package]]", "package = 1", "<html>"] {
            assert!(Lock::parse(bad).is_err(), "{bad}");
        }
        for odd in ["a b", "a\\u001b", "a\\n"] {
            let text = text.replace("name = \"a\"", &format!("name = \"{odd}\""));
            assert!(Lock::parse(&text).is_err(), "{odd}");
        }
    }

    #[test]
    fn what_the_image_is_made_of_is_found_through_others() {
        let lock = parsed(
            "agent-entrypoint=0.1.0:a a=1.0.0:b~2.0.0,c b=2.0.0 c=1.0.0:a xtask=0.1.0:d d=1.0.0",
        );
        assert_eq!(
            lock.in_image(),
            BTreeSet::from(["agent-entrypoint", "a", "b", "c"])
        );
    }
}
