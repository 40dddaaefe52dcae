//! The shipped file itself: small, static, and without a panic of this crate in it.

use std::collections::BTreeSet;
use std::fs;

use crate::harness::binary;

/// The size limit of the whole entrypoint: a tenth of the smallest static peer.
const LIMIT: usize = 64 * 1024;

/// The program header of a file that needs a dynamic loader.
const PT_INTERP: u32 = 3;

/// The names that end in `.rs` in the file, up to what cannot be of a path.
///
/// Where the compiler cannot rule out a panic, it puts the source's path in for the message.
fn source_paths(file: &[u8]) -> BTreeSet<String> {
    let is_path = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    let mut paths = BTreeSet::new();
    for word in file.split(|byte| !is_path(byte)) {
        let word = String::from_utf8(word.to_vec()).unwrap();
        // Texts follow each other without an end: one word may hold several.
        for end in word.match_indices(".rs").map(|(at, _)| at + 3) {
            paths.insert(word[..end].to_owned());
        }
    }
    paths
}

#[test]
fn source_paths_are_found_in_the_middle_of_texts() {
    let found = source_paths(b"\xff at a/src/sys.rsb/lib.rs: bug\0");
    let expected = ["a/src/sys.rs", "a/src/sys.rsb/lib.rs"];
    assert!(found.iter().eq(expected), "{found:?}");
}

#[test]
fn no_code_of_this_crate_can_panic() {
    let file = fs::read(binary()).unwrap();
    let paths = source_paths(&file);
    // rustix checks again what the kernel returns. No other code may hold a check that can panic.
    let is_known = |path: &&String| path.ends_with("/raw_dir.rs") || path.ends_with("/owned.rs");
    let unknown: Vec<_> = paths.iter().filter(|path| !is_known(path)).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    let text = String::from_utf8_lossy(&file);
    assert!(!text.contains("agent-entrypoint/src/"));
}

fn number<const SIZE: usize>(file: &[u8], at: usize) -> u64 {
    let bytes: [u8; SIZE] = file[at..at + SIZE].try_into().unwrap();
    let mut word = [0; 8];
    word[..SIZE].copy_from_slice(&bytes);
    u64::from_le_bytes(word)
}

/// The types of an ELF file's program headers (`man 5 elf`), for a 64-bit little-endian machine.
fn program_headers(file: &[u8]) -> Vec<u32> {
    assert_eq!(&file[..6], b"\x7fELF\x02\x01");
    let place = |at| usize::try_from(number::<8>(file, at)).unwrap();
    let short = |at| usize::try_from(number::<2>(file, at)).unwrap();
    let (start, size, count) = (place(32), short(54), short(56));
    (0..count)
        .map(|index| u32::try_from(number::<4>(file, start + index * size)).unwrap())
        .collect()
}

#[test]
fn the_file_is_small_and_needs_no_loader() {
    let file = fs::read(binary()).unwrap();
    assert!(file.len() < LIMIT, "{} bytes", file.len());
    let headers = program_headers(&file);
    assert!(!headers.is_empty());
    assert!(!headers.contains(&PT_INTERP), "{headers:?}");
    // The same check of a program that needs a loader: this one, with the usual C library.
    let test = fs::read(std::env::current_exe().unwrap()).unwrap();
    let is_dynamic = program_headers(&test).contains(&PT_INTERP);
    assert_eq!(is_dynamic, cfg!(target_env = "gnu"));
}
