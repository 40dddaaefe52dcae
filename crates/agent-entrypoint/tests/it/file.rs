//! The file that is shipped: static, small, and with no place where it could panic.

use std::fs;
use std::path::Path;

use crate::harness::binary;

/// Program headers of an ELF file of 64 bits start where the header says, and say their kind first.
fn kinds(file: &[u8]) -> Vec<u32> {
    let number = |at: usize, size: usize| {
        let bytes = file[at..at + size].iter().rev();
        bytes.fold(0_usize, |number, byte| (number << 8) | usize::from(*byte))
    };
    let (start, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let kind = |index| u32::try_from(number(start + index * size, 4)).unwrap();
    (0..count).map(kind).collect()
}

#[test]
fn it_is_static_and_small() {
    const LOAD: u32 = 1;
    const DYNAMIC: u32 = 2;
    const INTERPRETER: u32 = 3;
    let file = fs::read(binary()).unwrap();
    assert_eq!(file[..4], *b"\x7fELF");
    let kinds = kinds(&file);
    assert!(kinds.contains(&LOAD), "{kinds:?}");
    for kind in [DYNAMIC, INTERPRETER] {
        assert!(!kinds.contains(&kind), "{kinds:?}");
    }
    assert!(file.len() < 64 * 1024, "{}", file.len());
}

/// The panic handler says where it was called from, so the compiler keeps the path of each place that
/// it could not prove to be out of reach.
#[test]
fn no_place_of_this_program_can_panic() {
    let file = fs::read(binary()).unwrap();
    let printable = |byte: &u8| byte.is_ascii_graphic();
    let texts = file.split(|byte| !printable(byte));
    let paths: Vec<String> = texts
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .filter(|text| Path::new(text).extension() == Some("rs".as_ref()))
        .collect();
    // The test would be none if paths were not kept at all.
    assert!(!paths.is_empty());
    for path in paths {
        // Checks of rustix's on what the kernel answers.
        let is_rustix = path.contains("/rustix-")
            && ["/fs/raw_dir.rs", "/os/fd/owned.rs"]
                .iter()
                .any(|file| path.ends_with(file));
        assert!(is_rustix, "may panic: {path}");
    }
}
