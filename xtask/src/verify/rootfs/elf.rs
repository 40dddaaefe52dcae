//! The head of a program or library: for which machine it is, and who loads it.

use std::io::{self, Read};
use std::ops::Range;

use super::Elf;

/// Bytes of a file that [`Elf::parse`] wants to see.
pub(super) const HEAD: u64 = 64 * 1024;

const PT_INTERP: u32 = 3;

/// Bytes that a path may have.
const NAME_MAX: u64 = 4096;

/// Where the fields are that depend on the size of an address.
struct Layout {
    wide: bool,
    headers: usize,
    header_size: usize,
    header_count: usize,
    /// Within a program header.
    offset: usize,
    file_size: usize,
}

const NARROW: Layout = Layout {
    wide: false,
    headers: 28,
    header_size: 42,
    header_count: 44,
    offset: 4,
    file_size: 16,
};

const WIDE: Layout = Layout {
    wide: true,
    headers: 32,
    header_size: 54,
    header_count: 56,
    offset: 8,
    file_size: 32,
};

/// The head does not hold what it should.
struct CutShort;

impl Elf {
    /// Reads the head of a file; none where it is no little-endian ELF.
    #[cfg(test)]
    pub(super) fn parse(head: &[u8]) -> Option<Elf> {
        let (elf, _) = parse(head)?;
        Some(elf)
    }

    /// As `parse`; where the head does not hold the interpreter, reads on in the file. `patchelf`
    /// puts it at the end, which is how some builds of Node.js are made.
    pub(super) fn read(head: &[u8], rest: impl Read) -> io::Result<Option<Elf>> {
        let Some((mut elf, place)) = parse(head) else {
            return Ok(None);
        };
        let ahead = |place: &Range<u64>| place.start >= head.len() as u64;
        if let Some(place) = place.filter(ahead) {
            elf.interpreter = Some(read_on(rest, head.len() as u64, &place)?);
        }
        Ok(Some(elf))
    }
}

/// Also says where in the file the interpreter stands, if it has one.
fn parse(head: &[u8]) -> Option<(Elf, Option<Range<u64>>)> {
    let layout = match (head.get(..4)?, head.get(4)?, head.get(5)?) {
        (b"\x7fELF", 1, 1) => NARROW,
        (b"\x7fELF", 2, 1) => WIDE,
        _ => return None,
    };
    let machine = u16_at(head, 18).ok()?;
    let (interpreter, place) = match interpreter(head, &layout) {
        Ok(None) => (None, None),
        Ok(Some(place)) => (Some(name(head, &place).unwrap_or_default()), Some(place)),
        // Nobody knows, which must not look like a static program.
        Err(CutShort) => (Some(String::new()), None),
    };
    let elf = Elf {
        machine,
        interpreter,
    };
    Some((elf, place))
}

fn interpreter(head: &[u8], layout: &Layout) -> Result<Option<Range<u64>>, CutShort> {
    let headers = address_at(head, layout.headers, layout)?;
    let headers = usize::try_from(headers).map_err(|_| CutShort)?;
    let size = usize::from(u16_at(head, layout.header_size)?);
    let count = usize::from(u16_at(head, layout.header_count)?);
    for number in 0..count {
        let start = headers.checked_add(number * size).ok_or(CutShort)?;
        let header = head.get(start..).ok_or(CutShort)?;
        if u32_at(header, 0)? == PT_INTERP {
            let start = address_at(header, layout.offset, layout)?;
            let length = address_at(header, layout.file_size, layout)?;
            let end = start.checked_add(length).ok_or(CutShort)?;
            return Ok(Some(start..end));
        }
    }
    Ok(None)
}

fn name(head: &[u8], place: &Range<u64>) -> Option<String> {
    let start = usize::try_from(place.start).ok()?;
    let end = usize::try_from(place.end).ok()?;
    head.get(start..end).map(text)
}

/// Reads on to `place`; `rest` begins at `start`. Empty where the file ends before.
fn read_on(mut rest: impl Read, start: u64, place: &Range<u64>) -> io::Result<String> {
    io::copy(
        &mut rest.by_ref().take(place.start - start),
        &mut io::sink(),
    )?;
    let mut bytes = Vec::new();
    let length = (place.end - place.start).min(NAME_MAX);
    rest.take(length).read_to_end(&mut bytes)?;
    Ok(text(&bytes))
}

fn text(name: &[u8]) -> String {
    String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(name)).into_owned()
}

fn address_at(bytes: &[u8], at: usize, layout: &Layout) -> Result<u64, CutShort> {
    if layout.wide {
        bytes_at(bytes, at).map(u64::from_le_bytes)
    } else {
        u32_at(bytes, at).map(u64::from)
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Result<u32, CutShort> {
    bytes_at(bytes, at).map(u32::from_le_bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> Result<u16, CutShort> {
    bytes_at(bytes, at).map(u16::from_le_bytes)
}

fn bytes_at<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], CutShort> {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
    bytes.copied().ok_or(CutShort)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A real program of this machine.
    fn program() -> Vec<u8> {
        let mut bytes = std::fs::read("/bin/sh").unwrap();
        bytes.truncate(usize::try_from(HEAD).unwrap());
        bytes
    }

    /// 32 bits: the header, one program header and the name of the loader.
    fn narrow(kind: u32) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
        bytes.resize(52 + 32, 0);
        bytes[18] = 40;
        bytes[28] = 52;
        bytes[42] = 32;
        bytes[44] = 1;
        bytes[52..56].copy_from_slice(&kind.to_le_bytes());
        bytes[52 + 4] = 84;
        bytes[52 + 16] = 8;
        bytes.extend(b"/lib/ld\0");
        bytes
    }

    #[test]
    fn a_real_program_names_its_machine_and_loader() {
        let elf = Elf::parse(&program()).unwrap();
        let machine = match std::env::consts::ARCH {
            "x86_64" => 62,
            "aarch64" => 183,
            _ => elf.machine,
        };
        assert_eq!(elf.machine, machine);
        let interpreter = elf.interpreter.unwrap();
        assert!(interpreter.contains("/ld-"), "{interpreter}");
    }

    #[test]
    fn addresses_may_have_32_bits() {
        let elf = Elf::parse(&narrow(PT_INTERP)).unwrap();
        assert_eq!(
            (elf.machine, elf.interpreter.unwrap().as_str()),
            (40, "/lib/ld")
        );
        assert_eq!(Elf::parse(&narrow(1)).unwrap().interpreter, None);
    }

    #[test]
    fn a_loader_far_behind_is_read_on_to() {
        let mut head = narrow(PT_INTERP);
        head[52 + 4..52 + 8].copy_from_slice(&100_000_u32.to_le_bytes());
        let unknown = Elf::parse(&head).unwrap();
        assert_eq!(unknown.interpreter.as_deref(), Some(""));
        let mut rest = vec![0; 100_000 - head.len()];
        assert_eq!(Elf::read(&head, &rest[..]).unwrap().unwrap(), unknown);
        rest.extend(b"/lib/ld\0more");
        let elf = Elf::read(&head, &rest[..]).unwrap().unwrap();
        assert_eq!(elf.interpreter.as_deref(), Some("/lib/ld"));
    }

    #[test]
    fn what_is_cut_short_is_unknown_and_not_static() {
        let bytes = program();
        let whole = Elf::parse(&bytes).unwrap();
        for length in 0..bytes.len() {
            match Elf::parse(&bytes[..length]) {
                None => assert!(length < 20, "{length}"),
                Some(elf) if elf == whole => {}
                Some(elf) => assert_eq!(elf.interpreter.as_deref(), Some(""), "{length}"),
            }
        }
    }

    #[test]
    fn other_files_are_no_elf() {
        for other in [
            &b""[..],
            b"\x7fELF",
            b"#!/bin/sh\nexit 0\n",
            b"\x7fELF\x02\x02\x01",
        ] {
            assert_eq!(Elf::parse(other), None, "{other:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(mut bytes in proptest::collection::vec(any::<u8>(), 0..256)) {
            let magic = b"\x7fELF\x02\x01";
            let length = magic.len().min(bytes.len());
            bytes[..length].copy_from_slice(&magic[..length]);
            let _ = Elf::read(&bytes, io::empty());
        }
    }
}
