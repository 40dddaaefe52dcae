//! The hash of the checks: a receipt counts only for the checks that wrote it.
//!
//! It covers all sources of verify and of xtask, their manifests and `Cargo.lock`, tests and comments
//! too. Anything that xtask does may feed a judgement. A receipt that is void without need costs a run of
//! `verify`; one that counts wrongly costs a bad release.

use std::sync::LazyLock;

use xtask::oci::Digest;

/// As `build.rs` packs them when verify is built.
const SOURCES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sources"));

/// The hash of the checks that this program is built with.
pub(crate) fn check_set() -> &'static Digest {
    static CHECK_SET: LazyLock<Digest> = LazyLock::new(|| Digest::of(SOURCES));
    &CHECK_SET
}

#[cfg(test)]
#[expect(dead_code, reason = "cargo runs the rest")]
#[path = "../build.rs"]
mod build;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;

    /// Fails when cargo does not run `build.rs` again after a change.
    #[test]
    fn the_sources_in_the_program_are_those_on_disk() {
        let packed = build::pack(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")).unwrap();
        assert!(SOURCES == packed);
        for path in [
            "Cargo.lock",
            "crates/verify/Cargo.toml",
            "crates/verify/src/check_set.rs",
            "xtask/Cargo.toml",
            "xtask/src/exec.rs",
        ] {
            let head = format!("{path}\0");
            let mut windows = SOURCES.windows(head.len());
            assert!(windows.any(|window| window == head.as_bytes()), "{path}");
        }
    }

    #[test]
    fn every_source_counts_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path();
        let write = |path: &str, text: &str| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let packed = || Digest::of(&build::pack(folder).unwrap());
        write("Cargo.lock", "version = 4\n");
        for package in build::PACKAGES {
            write(&format!("{package}/Cargo.toml"), "[package]\n");
            write(&format!("{package}/src/main.rs"), "fn main() {}\n");
        }
        write("xtask/src/exec/bounded.rs", "// bounded\n");
        let first = packed();
        for (path, text, changes) in [
            ("xtask/src/main.rs", "fn main() {}\r\n", false),
            ("xtask/src/main.rs~", "fn main() {}\n", false),
            ("xtask/src/.main.rs.swp", "x", false),
            ("xtask/src/exec/notes.md", "x", false),
            ("xtask/tests/it.rs", "x", false),
            ("xtask/src/exec/bounded.rs", "// Bounded\n", true),
            ("crates/verify/src/main.rs", "fn main() { }\n", true),
            ("crates/verify/src/new.rs", "", true),
            ("xtask/Cargo.toml", "[package]\nname = \"x\"\n", true),
            ("Cargo.lock", "version = 5\n", true),
        ] {
            let before = fs::read(folder.join(path)).ok();
            write(path, text);
            assert_eq!(packed() != first, changes, "{path}");
            match before {
                Some(before) => fs::write(folder.join(path), before).unwrap(),
                None => fs::remove_file(folder.join(path)).unwrap(),
            }
        }
        assert_eq!(packed(), first);
        let moved = |name: &str| folder.join("xtask/src").join(name);
        fs::rename(moved("main.rs"), moved("other.rs")).unwrap();
        assert_ne!(packed(), first, "a path counts");
    }
}
