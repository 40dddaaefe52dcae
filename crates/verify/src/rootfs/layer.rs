//! The archive of a layer: what each entry is.

use std::io::{self, Read};

use anyhow::Context as _;
use tar::EntryType;
use xtask::oci::Digest;

use super::bounds::{self, Bounded, Bounds};
use super::content::Content;
use super::hashed::Hashed;
use super::{Entry, Kind};

const WHITEOUT: &str = ".wh.";
const OPAQUE: &str = ".wh..wh..opq";

pub(super) struct Archive {
    pub(super) entries: Vec<Entry>,
    pub(super) digest: Digest,
    /// Bytes, all padding included.
    pub(super) size: u64,
}

type TarEntry<'a, 'b> = tar::Entry<'a, Bounded<'b>>;

/// Reads the archive that is in `stream`, and what may follow it.
///
/// Fails when it is larger than any layer needs to be ([`bounds`](super::bounds)).
pub(super) fn read(stream: &mut dyn Read) -> anyhow::Result<Archive> {
    let mut hashed = Hashed::up_to(bounds::UNPACKED, stream);
    let entries = read_entries(&mut hashed)?;
    io::copy(&mut hashed, &mut io::sink())?;
    let (digest, size) = hashed.read_so_far();
    Ok(Archive {
        entries,
        digest,
        size,
    })
}

fn read_entries(stream: &mut dyn Read) -> anyhow::Result<Vec<Entry>> {
    let bounds = Bounds::default();
    let mut archive = tar::Archive::new(bounds.reader(stream));
    let mut archive = archive.entries()?;
    let mut entries = Vec::new();
    let mut buffer = Vec::new();
    loop {
        bounds.begin_header();
        let Some(entry) = archive.next() else {
            return Ok(entries);
        };
        let mut entry = entry.with_context(|| after(&entries))?;
        bounds.end_header(entry.size().max(entry.header().entry_size()?));
        if entry.header().entry_type() == EntryType::XGlobalHeader {
            continue;
        }
        let path = normal(&entry.path_bytes());
        let read = read_entry(&mut entry, path.clone(), &mut buffer);
        let read = read.with_context(|| format!("file `{path}`"))?;
        bounds.keep(&read, buffer.len())?;
        entries.push(read);
    }
}

fn after(entries: &[Entry]) -> String {
    match entries.last() {
        Some(entry) => format!("its archive, after file `{}`", entry.path),
        None => "its archive".to_owned(),
    }
}

fn read_entry(
    entry: &mut TarEntry<'_, '_>,
    path: String,
    buffer: &mut Vec<u8>,
) -> anyhow::Result<Entry> {
    let file_type = entry.header().entry_type();
    let content = if is_file(file_type) {
        Content::read(&path, entry.size(), entry, buffer)?
    } else {
        Content::default()
    };
    let (kind, path) = kind(entry, path);
    let header = entry.header();
    let fields = header.as_old();
    let mode = or_zero(&fields.mode, header.mode())?;
    let uid = or_zero(&fields.uid, header.uid())?;
    let gid = or_zero(&fields.gid, header.gid())?;
    Ok(Entry {
        path,
        kind,
        mode: mode & 0o7777,
        uid,
        gid,
        size: if is_file(file_type) { entry.size() } else { 0 },
        has_capabilities: has_capabilities(entry)?,
        elf: content.elf,
        text: content.text,
        secrets: content.secrets,
        certificates: content.certificates,
    })
}

/// Engines take a number that is left blank for 0.
fn or_zero<T: Default>(field: &[u8], parsed: io::Result<T>) -> io::Result<T> {
    if field.iter().all(|byte| matches!(byte, 0 | b' ')) {
        return Ok(T::default());
    }
    parsed
}

fn is_file(file_type: EntryType) -> bool {
    matches!(
        file_type,
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse
    )
}

/// What an entry is, and of which path; a whiteout is about another one than its own.
fn kind(entry: &TarEntry<'_, '_>, path: String) -> (Kind, String) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
    if name == OPAQUE {
        return (Kind::Opaque, folder.to_owned());
    }
    if let Some(hidden) = name.strip_prefix(WHITEOUT) {
        return (
            Kind::Whiteout,
            normal(format!("{folder}/{hidden}").as_bytes()),
        );
    }
    let link = entry.link_name_bytes().unwrap_or_default();
    let kind = match entry.header().entry_type() {
        file_type if is_file(file_type) => Kind::File,
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink => Kind::Symlink(String::from_utf8_lossy(&link).into_owned()),
        EntryType::Link => Kind::Hardlink(normal(&link)),
        _ => Kind::Special,
    };
    (kind, path)
}

/// A path as all entries have it, whatever the archive's writer put around it.
fn normal(path: &[u8]) -> String {
    let path = String::from_utf8_lossy(path);
    let mut parts = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

/// The crate takes a line break within a binary value for the end of it, and cannot read such an
/// attribute; only extended attributes are binary, so it counts as this one.
fn has_capabilities(entry: &mut TarEntry<'_, '_>) -> io::Result<bool> {
    let Some(mut attributes) = entry.pax_extensions()? else {
        return Ok(false);
    };
    Ok(attributes.any(|attribute| {
        attribute.map_or(true, |attribute| {
            attribute.key_bytes() == b"SCHILY.xattr.security.capability"
        })
    }))
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;

    fn header(entry_type: EntryType, size: usize) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(entry_type);
        header.set_size(size as u64);
        header.set_mode(0o100_4755);
        header.set_uid(1000);
        header.set_gid(3_000_000);
        header
    }

    fn entries(write: impl FnOnce(&mut Builder<Vec<u8>>)) -> Vec<Entry> {
        let mut archive = Builder::new(Vec::new());
        write(&mut archive);
        let bytes = archive.into_inner().unwrap();
        read(&mut &bytes[..]).unwrap().entries
    }

    /// `Header::set_path` refuses what writers in other languages write.
    fn raw(entry_type: EntryType, path: &str, link: &str) -> Header {
        let mut header = header(entry_type, 0);
        let fields = header.as_gnu_mut().unwrap();
        fields.name[..path.len()].copy_from_slice(path.as_bytes());
        fields.linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_cksum();
        header
    }

    #[test]
    fn entries_are_told_apart() {
        use EntryType as T;
        let cases = [
            (T::Regular, "./a", "", "a", Kind::File),
            (T::Directory, "/a//./b/", "", "a/b", Kind::Folder),
            (T::Directory, "./", "", "", Kind::Folder),
            (T::Regular, "a/../../b", "", "b", Kind::File),
            (
                T::Symlink,
                "a",
                "../b/",
                "a",
                Kind::Symlink("../b/".to_owned()),
            ),
            (T::Link, "a", "./b", "a", Kind::Hardlink("b".to_owned())),
            (T::Regular, "a/.wh.b", "", "a/b", Kind::Whiteout),
            (T::Regular, ".wh.b", "", "b", Kind::Whiteout),
            (T::Regular, "a/.wh..wh..opq", "", "a", Kind::Opaque),
            (T::Regular, ".wh..wh..opq", "", "", Kind::Opaque),
            (T::Char, "dev/null", "", "dev/null", Kind::Special),
            (T::Fifo, "a", "", "a", Kind::Special),
        ];
        for (entry_type, written, link, path, kind) in cases {
            let header = raw(entry_type, written, link);
            let entry = entries(|archive| archive.append(&header, io::empty()).unwrap()).remove(0);
            assert_eq!((entry.path.as_str(), entry.kind), (path, kind), "{written}");
            assert_eq!(
                (entry.mode, entry.uid, entry.gid),
                (0o4755, 1000, 3_000_000)
            );
        }
    }

    #[test]
    fn names_may_be_long() {
        let long = format!("{}/x", "long".repeat(60));
        let gnu = entries(|archive| {
            let mut header = header(EntryType::Symlink, 0);
            archive.append_link(&mut header, &long, &long).unwrap();
        });
        let pax = entries(|archive| {
            let attributes = [("path", long.as_bytes()), ("linkpath", long.as_bytes())];
            archive.append_pax_extensions(attributes).unwrap();
            let header = raw(EntryType::Symlink, "short", "short");
            archive.append(&header, io::empty()).unwrap();
        });
        for entry in [&gnu[0], &pax[0]] {
            assert_eq!(entry.path, long);
            assert_eq!(entry.kind, Kind::Symlink(long.clone()));
        }
    }

    #[test]
    fn capabilities_are_seen_whatever_their_bytes() {
        const NAME: &str = "SCHILY.xattr.security.capability";
        type Attributes = &'static [(&'static str, &'static [u8])];
        let cases: [(Attributes, bool); 5] = [
            (&[], false),
            (&[("SCHILY.xattr.user.x", b"1"), ("mtime", b"1.5")], false),
            (&[(NAME, b"\x01\0\0\x02\0\x04\0\0")], true),
            (
                &[("mtime", b"1.5"), (NAME, b"\x01\0\0\x02\xff\x04\0\0")],
                true,
            ),
            (&[(NAME, b"\x01\0\0\x02\n\0\0\0"), ("mtime", b"1.5")], true),
        ];
        for (attributes, expected) in cases {
            let entries = entries(|archive| {
                let attributes = attributes.iter().copied();
                archive.append_pax_extensions(attributes).unwrap();
                let header = raw(EntryType::Regular, "bin/ping", "");
                archive.append(&header, io::empty()).unwrap();
            });
            assert_eq!(entries[0].path, "bin/ping");
            assert_eq!(entries[0].has_capabilities, expected, "{attributes:?}");
        }
    }

    fn error_of(bytes: &[u8]) -> String {
        let stream = &mut &bytes[..];
        format!("{:#}", read(stream).err().unwrap())
    }

    #[test]
    fn headers_that_would_fill_the_memory_are_refused() {
        let long = |entry_type, length| {
            let mut archive = Builder::new(Vec::new());
            let mut add = |mut header: Header, content: &[u8]| {
                header.set_cksum();
                archive.append(&header, content).unwrap();
            };
            add(header(EntryType::Regular, 3000), &[b'x'; 3000]);
            let mut content = vec![b'a'; length];
            if entry_type == EntryType::XHeader {
                let head = format!("{length} comment=");
                content[..head.len()].copy_from_slice(head.as_bytes());
                content[length - 1] = b'\n';
            }
            add(header(entry_type, length), &content);
            add(raw(EntryType::Regular, "a", ""), b"");
            archive.into_inner().unwrap()
        };
        for entry_type in [
            EntryType::GNULongName,
            EntryType::GNULongLink,
            EntryType::XHeader,
        ] {
            let good = long(entry_type, 100_000);
            assert_eq!(read(&mut &good[..]).unwrap().entries.len(), 2);
            let error = error_of(&long(entry_type, 2 << 20));
            assert!(error.contains("headers of more than 1 MiB"), "{error}");
        }
    }

    /// A large file that nobody searches is skipped within what is counted for the next entry.
    #[test]
    fn large_files_are_no_headers() {
        let large = vec![0; 9 << 20];
        let entries = entries(|archive| {
            for path in ["a", "b", "c"] {
                let mut header = header(EntryType::Regular, large.len());
                archive.append_data(&mut header, path, &large[..]).unwrap();
            }
        });
        assert_eq!(entries.len(), 3);
    }
}
