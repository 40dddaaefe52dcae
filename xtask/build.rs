//! Brings the sources that xtask is built from into the program: the hash over them says whether a
//! receipt was written by these checks (`src/verify/check_set.rs`).
//!
//! The texts rather than their hash: SHA-256 would be compiled twice, here and for xtask.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

fn main() {
    let folder = PathBuf::from(env("CARGO_MANIFEST_DIR"));
    let (sources, lock) = (folder.join("src"), folder.join("../Cargo.lock"));
    // Cargo looks at every file below a folder, and at the folders themselves.
    for input in [&sources, &lock, &folder.join("Cargo.toml")] {
        println!("cargo::rerun-if-changed={}", input.display());
    }
    let packed = pack(&folder).expect("xtask's sources can be read");
    fs::write(Path::new(&env("OUT_DIR")).join("sources"), packed).expect("OUT_DIR can be written");
}

fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name} for a build script"))
}

/// Every Rust file below `src`, the manifest and the lock file beside the workspace, as
/// `path NUL length NUL text`, sorted by path.
///
/// The same on every machine: paths are relative and have slashes, lines end in LF.
pub(crate) fn pack(folder: &Path) -> io::Result<Vec<u8>> {
    let mut files = vec![
        ("Cargo.lock".to_owned(), folder.join("../Cargo.lock")),
        ("Cargo.toml".to_owned(), folder.join("Cargo.toml")),
    ];
    collect(&folder.join("src"), "src", &mut files)?;
    files.sort();
    let mut packed = Vec::new();
    for (name, path) in files {
        let text = fs::read_to_string(&path)?.replace("\r\n", "\n");
        // The length keeps one text from running into the next.
        packed.extend(format!("{name}\0{}\0", text.len()).bytes());
        packed.extend(text.bytes());
    }
    Ok(packed)
}

/// Editors leave other files in a folder of sources; only Rust files are compiled.
fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = format!("{prefix}/{name}");
        if path.is_dir() {
            collect(&path, &name, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push((name, path));
        }
    }
    Ok(())
}
