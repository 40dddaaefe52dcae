//! The hash of all that judges: a receipt counts only for the checks that it was written by.
//!
//! It covers the catalogue and the sources that look and judge, comments and all: a receipt that
//! needlessly does not hold costs a run, one that wrongly holds a bad release.

use sha2::{Digest as _, Sha256};

use super::check::Check;
use crate::oci::Digest;

/// Names source files, relative to this one, and brings their text.
macro_rules! sources {
    ($($path:literal)*) => { &[$(($path, include_str!($path))),*] };
}

/// Everything that decides what a check makes of an image.
const SOURCES: &[(&str, &str)] = sources! {
    "bench.rs"
    "bench/container.rs"
    "bench/ran.rs"
    "bench/start.rs"
    "bench/trouble.rs"
    "check.rs"
    "checks.rs"
    "checks/agent.rs"
    "checks/agent/commands.rs"
    "checks/agent/files.rs"
    "checks/agent/packages.rs"
    "checks/claude.rs"
    "checks/claude/strict.rs"
    "checks/contract.rs"
    "checks/contract/account.rs"
    "checks/contract/commands.rs"
    "checks/contract/mounted.rs"
    "checks/contract/processes.rs"
    "checks/contract/start.rs"
    "checks/contract/stop.rs"
    "checks/contract/workspace.rs"
    "checks/contract_files.rs"
    "checks/hardening.rs"
    "checks/hardening_files.rs"
    "checks/hardening_files/leftovers.rs"
    "checks/hardening_files/passwords.rs"
    "checks/health.rs"
    "checks/image.rs"
    "checks/image/built.rs"
    "checks/image/layers.rs"
    "checks/image/process.rs"
    "checks/index.rs"
    "checks/look.rs"
    "checks/pid1.rs"
    "checks/pid1/agent.rs"
    "checks/secrets.rs"
    "checks/seed.rs"
    "expected.rs"
    "facts.rs"
    "prove.rs"
    "rootfs.rs"
    "rootfs/archive.rs"
    "rootfs/blob.rs"
    "rootfs/certificates.rs"
    "rootfs/content.rs"
    "rootfs/elf.rs"
    "rootfs/files.rs"
    "rootfs/layer.rs"
    "rootfs/secrets.rs"
    "run.rs"
    "target.rs"
    "target/engine.rs"
    "target/published.rs"
    "target/read.rs"
    "../ca_bundle.rs"
    "../oci.rs"
    "../platform.rs"
    "../unpack.rs"
    "../unpack/zstd.rs"
};

/// The hash of the catalogue and of what judges by it.
pub(crate) fn hash(catalogue: impl Iterator<Item = &'static Check>) -> Digest {
    let texts = catalogue.map(|check| [check.id, check.proves, check.source, check.remedy]);
    hash_of(texts, SOURCES)
}

fn hash_of<'a>(
    checks: impl Iterator<Item = [&'a str; 4]>,
    sources: &[(&'a str, &'a str)],
) -> Digest {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        // The length keeps two texts from being one.
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    };
    for text in checks.flatten() {
        add(text);
    }
    // No check is called that: what follows is no catalogue.
    add("");
    for (path, text) in sources {
        add(path);
        add(text);
    }
    Digest::of_hash(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::verify::checks::catalogue;

    /// What only chooses, shows or keeps, or tests: it judges nothing. A folder ends in a slash.
    const OTHERS: [&str; 15] = [
        "bench/sweep.rs",
        "check_set.rs",
        "checks/fixture.rs",
        "checks/fixture/",
        "choice.rs",
        "junit.rs",
        "live.rs",
        "live/",
        "opens.rs",
        "receipt.rs",
        "receipt/",
        "report.rs",
        "show.rs",
        "show/",
        "tests.rs",
    ];

    fn is_other(path: &str) -> bool {
        let is_it =
            |other: &&str| path == *other || other.ends_with('/') && path.starts_with(*other);
        path.ends_with("/tests.rs") || OTHERS.iter().any(is_it)
    }

    fn sources(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                sources(&entry.path(), &format!("{name}/"), found);
            } else {
                found.insert(name);
            }
        }
    }

    #[test]
    fn no_source_that_judges_is_left_out() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/verify");
        let mut found = BTreeSet::new();
        sources(&folder, "", &mut found);
        found.retain(|path| !is_other(path));
        let listed = SOURCES.iter().map(|(path, _)| (*path).to_owned());
        let listed: BTreeSet<String> = listed.filter(|path| !path.starts_with("../")).collect();
        assert_eq!(found, listed, "list a new file in check_set.rs");
    }

    #[test]
    fn the_catalogue_is_a_part_of_the_set() {
        assert_eq!(hash(catalogue()), hash(catalogue()));
        assert_ne!(hash(catalogue()), hash(catalogue().skip(1)));
    }

    #[test]
    fn any_other_text_is_another_set() {
        const CHECKS: [[&str; 4]; 2] = [["a", "b", "c", "d"], ["e", "f", "g", "h"]];
        const TEXTS: [(&str, &str); 2] = [("x.rs", "1"), ("y.rs", "2")];
        type Case<'a> = (&'a [[&'a str; 4]], &'a [(&'a str, &'a str)]);
        let table: [Case; 8] = [
            (&CHECKS, &TEXTS),
            (&CHECKS[..1], &TEXTS),
            (&[CHECKS[1], CHECKS[0]], &TEXTS),
            (&[["a", "b", "c", "D"], CHECKS[1]], &TEXTS),
            (&[["a", "bc", "", "d"], CHECKS[1]], &TEXTS),
            (&CHECKS, &TEXTS[..1]),
            (&CHECKS, &[("x.rs", "1"), ("y.rs", "3")]),
            (&CHECKS, &[("x.rs", "1y.rs"), ("", "2")]),
        ];
        let hashes = table.map(|(checks, sources)| hash_of(checks.iter().copied(), sources));
        let different: BTreeSet<&Digest> = hashes.iter().collect();
        assert_eq!(different.len(), hashes.len());
    }
}
