//! Brings the sources that verify is built from into the program, xtask's among them: the hash over
//! them says whether a receipt was written by these checks (`src/check_set.rs`).
//!
//! The texts rather than their hash: SHA-256 would be compiled twice, here and for xtask.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The packages whose code feeds a judgement, below the workspace's root.
pub(crate) const PACKAGES: [&str; 2] = ["crates/verify", "xtask"];

fn main() {
    let root = PathBuf::from(env("CARGO_MANIFEST_DIR")).join("../..");
    // Cargo looks at every file below a folder, and at the folders themselves.
    let parts = PACKAGES.iter().flat_map(|package| {
        let package = root.join(package);
        [package.join("Cargo.toml"), package.join("src")]
    });
    for input in parts.chain([root.join("Cargo.lock")]) {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    let packed = pack(&root).expect("the sources can be read");
    fs::write(Path::new(&env("OUT_DIR")).join("sources"), packed).expect("OUT_DIR can be written");
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for a build script"))
}

/// Every Rust file below each package's `src`, the manifests, and the lock file of the workspace,
/// as `path NUL length NUL text`, sorted by path.
///
/// The same on every machine: paths are relative and have slashes, lines end in LF.
pub(crate) fn pack(root: &Path) -> io::Result<Vec<u8>> {
    let mut files = vec!["Cargo.lock".to_owned()];
    for package in PACKAGES {
        files.push(format!("{package}/Cargo.toml"));
        collect(root, &format!("{package}/src"), &mut files)?;
    }
    files.sort();
    let mut packed = Vec::new();
    for name in files {
        let text = fs::read_to_string(root.join(&name))?.replace("\r\n", "\n");
        // The length keeps one text from running into the next.
        packed.extend(format!("{name}\0{}\0", text.len()).bytes());
        packed.extend(text.bytes());
    }
    Ok(packed)
}

/// Editors leave other files in a folder of sources; only Rust files are compiled.
fn collect(root: &Path, folder: &str, files: &mut Vec<String>) -> io::Result<()> {
    for entry in fs::read_dir(root.join(folder))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{folder}/{name}");
        if path.is_dir() {
            collect(root, &name, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(name);
        }
    }
    Ok(())
}
