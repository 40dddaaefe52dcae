//! The head of a program or library: for which machine it is, and who loads it.

use std::io::{self, Read};
use std::ops::Range;

use object::LittleEndian;
use object::elf::{FileHeader32, FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader, ProgramHeader as _};

use super::Elf;

/// Bytes of a file that [`Elf::read`] wants to see.
pub(super) const HEAD: u64 = 64 * 1024;

/// Bytes that a path may have.
const NAME_MAX: u64 = 4096;

impl Elf {
    /// Reads the head of a file; `None` for anything but a little-endian ELF.
    #[cfg(test)]
    pub(super) fn parse(head: &[u8]) -> Option<Elf> {
        let (elf, _) = parse(head)?;
        Some(elf)
    }

    /// As `parse`, and reads on in the file when the head does not hold the interpreter.
    /// `patchelf` puts it at the end, which is how some builds of Node.js are made.
    pub(super) fn read(head: &[u8], rest: impl Read) -> io::Result<Option<Elf>> {
        let Some((mut elf, place)) = parse(head) else {
            return Ok(None);
        };
        let is_ahead = |place: &Range<u64>| place.start >= head.len() as u64;
        if let Some(place) = place.filter(is_ahead) {
            elf.interpreter = Some(read_on(rest, head.len() as u64, &place)?);
        }
        Ok(Some(elf))
    }
}

/// The head, and where in the file the interpreter's path is, if it has one.
fn parse(head: &[u8]) -> Option<(Elf, Option<Range<u64>>)> {
    parse_as::<FileHeader64<LittleEndian>>(head)
        .or_else(|| parse_as::<FileHeader32<LittleEndian>>(head))
}

fn parse_as<T: FileHeader<Endian = LittleEndian>>(
    head: &[u8],
) -> Option<(Elf, Option<Range<u64>>)> {
    let header = T::parse(head).ok()?;
    // Fails for a big-endian file.
    let endian = header.endian().ok()?;
    let (interpreter, place) = match interpreter(header, head) {
        Ok(None) => (None, None),
        Ok(Some(place)) => (Some(name(head, &place).unwrap_or_default()), Some(place)),
        // It is not known, which must not pass for a static program.
        Err(_) => (Some(String::new()), None),
    };
    let machine = header.e_machine(endian).0;
    let elf = Elf {
        machine,
        interpreter,
    };
    Some((elf, place))
}

/// Fails when the head is cut short before the end of its program headers.
fn interpreter<T: FileHeader<Endian = LittleEndian>>(
    header: &T,
    head: &[u8],
) -> object::read::Result<Option<Range<u64>>> {
    let headers = header.program_headers(LittleEndian, head)?;
    let mut headers = headers.iter();
    let found = headers.find(|one| one.p_type(LittleEndian) == PT_INTERP);
    Ok(found.map(|found| {
        let start: u64 = found.p_offset(LittleEndian).into();
        let length: u64 = found.p_filesz(LittleEndian).into();
        start..start.saturating_add(length)
    }))
}

fn name(head: &[u8], place: &Range<u64>) -> Option<String> {
    let start = usize::try_from(place.start).ok()?;
    let end = usize::try_from(place.end).ok()?;
    head.get(start..end).map(text)
}

/// Reads on to `place`; `rest` begins at `start`. Empty when the file ends before.
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

#[cfg(test)]
mod tests {
    use object::elf::{PT_LOAD, ProgramType};

    use super::*;
    use proptest::prelude::*;

    /// A real program of this machine.
    fn program() -> Vec<u8> {
        let mut bytes = std::fs::read("/bin/sh").unwrap();
        bytes.truncate(usize::try_from(HEAD).unwrap());
        bytes
    }

    /// 32 bits: the header, one program header and the name of the loader.
    fn narrow(kind: ProgramType) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x01\x01\x01".to_vec();
        bytes.resize(52 + 32, 0);
        bytes[18] = 40;
        bytes[28] = 52;
        bytes[42] = 32;
        bytes[44] = 1;
        bytes[52..56].copy_from_slice(&kind.0.to_le_bytes());
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
        assert_eq!(Elf::parse(&narrow(PT_LOAD)).unwrap().interpreter, None);
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
                None => assert!(length < 64, "{length}"),
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
