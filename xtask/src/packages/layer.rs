//! A layer, read once: how large it is unpacked, and apk's database, if it has one.

use std::io::{self, Read};

use super::database::{self, LONGEST};
use super::package::Package;
use crate::unpack;

/// Where apk keeps its database; where `/lib` leads to `/usr/lib`, a layer may have it there
/// (chainguard-dev/vulnerability-scanner-support#43).
const DATABASES: [&str; 2] = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/// What a layer holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LayerContent {
    /// Bytes of the archive within.
    pub(crate) unpacked: u64,
    /// What is installed once the layer is there; none when it has no database. One that a later layer removes
    /// is counted all the same: the packages stay.
    pub(crate) packages: Option<Vec<Package>>,
}

impl LayerContent {
    /// Reads a layer as it is stored, compressed or not.
    ///
    /// Fails when it is no archive, and when its database is longer than any, there twice, or cannot be read.
    pub(crate) fn read(stored: impl Read) -> io::Result<LayerContent> {
        let mut archive = tar::Archive::new(Counted {
            reader: unpack::unpack(stored)?,
            count: 0,
        });
        let mut packages = None;
        for entry in archive.entries()? {
            let mut entry = entry?;
            let Some(path) = database(&entry.path_bytes()) else {
                continue;
            };
            let fault = |why: &str| io::Error::other(format!("its `{path}` {why}"));
            if !entry.header().entry_type().is_file() {
                return Err(fault("is not a file"));
            }
            if entry.size() > LONGEST {
                return Err(fault("is larger than any that apk writes"));
            }
            let mut text = Vec::new();
            entry.read_to_end(&mut text)?;
            let found = database::parse(&text)
                .map_err(|why| fault(&format!("is not apk's database: {why}")))?;
            if packages.replace(found).is_some() {
                return Err(fault("is the second database in one layer"));
            }
        }
        // Behind the end of an archive there may be more.
        let mut counted = archive.into_inner();
        io::copy(&mut counted, &mut io::sink())?;
        Ok(LayerContent {
            unpacked: counted.count,
            packages,
        })
    }
}

/// The database that a path in an archive leads to.
fn database(path: &[u8]) -> Option<&'static str> {
    let path = path.strip_prefix(b".").unwrap_or(path);
    let path = path.strip_prefix(b"/").unwrap_or(path);
    DATABASES.into_iter().find(|one| one.as_bytes() == path)
}

/// Counts the bytes that are read.
struct Counted<R> {
    reader: R,
    count: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buffer)?;
        self.count += length as u64;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tar::EntryType;

    use super::*;

    const TEXT: &str = "P:musl\nV:1.2.5-r21\n\n";

    fn layer(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (path, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            // The crate would take `./` away.
            header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            header.set_cksum();
            archive.append(&header, content.as_bytes()).unwrap();
        }
        archive.into_inner().unwrap()
    }

    #[test]
    fn the_database_of_a_layer_is_read_and_its_bytes_are_counted() {
        let musl = vec![Package::new("musl", "1.2.5-r21").unwrap()];
        let file = EntryType::Regular;
        for (entries, packages) in [
            (
                vec![("lib/apk/db/installed", file, TEXT)],
                Some(musl.clone()),
            ),
            (
                vec![("./lib/apk/db/installed", file, TEXT)],
                Some(musl.clone()),
            ),
            (
                vec![("/lib/apk/db/installed", file, TEXT)],
                Some(musl.clone()),
            ),
            (
                vec![
                    ("a", file, "x"),
                    ("usr/lib/apk/db/installed", file, TEXT),
                    ("b", file, ""),
                ],
                Some(musl),
            ),
            (vec![("lib/apk/db/installed", file, "")], Some(vec![])),
            (vec![("lib/apk/db/installed.new", file, "x")], None),
            (vec![("opt/lib/apk/db/installed", file, "x")], None),
            (vec![("lib/apk/db/.wh.installed", file, "")], None),
            (vec![], None),
        ] {
            let plain = layer(&entries);
            let mut gzip =
                flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            gzip.write_all(&plain).unwrap();
            for stored in [plain.clone(), gzip.finish().unwrap()] {
                let read = LayerContent::read(&stored[..]).unwrap();
                let unpacked = plain.len() as u64;
                let packages = packages.clone();
                assert_eq!(read, LayerContent { unpacked, packages }, "{entries:?}");
            }
        }
        // buildx and others pad the end of an archive.
        let padded = [layer(&[]), vec![0; 20_480]].concat();
        let read = LayerContent::read(&padded[..]).unwrap();
        assert_eq!(read.unpacked, padded.len() as u64);
    }

    #[test]
    fn a_database_that_can_be_read_in_two_ways_is_refused() {
        let file = EntryType::Regular;
        for (entries, expected) in [
            (
                vec![("lib/apk/db/installed", file, "nonsense")],
                "its `lib/apk/db/installed` is not apk's database: a line is not",
            ),
            (
                vec![
                    ("lib/apk/db/installed", file, TEXT),
                    ("lib/apk/db/installed", file, TEXT),
                ],
                "is the second database",
            ),
            (
                vec![
                    ("lib/apk/db/installed", file, TEXT),
                    ("usr/lib/apk/db/installed", file, TEXT),
                ],
                "is the second database",
            ),
            (
                vec![("lib/apk/db/installed", EntryType::Symlink, "")],
                "is not a file",
            ),
            (
                vec![("lib/apk/db/installed", EntryType::Directory, "")],
                "is not a file",
            ),
        ] {
            let why = LayerContent::read(&layer(&entries)[..]).unwrap_err();
            assert!(why.to_string().contains(expected), "{why}");
        }
        let whole = layer(&[("a", file, "x")]);
        for broken in [&whole[..600], b"this is no archive at all"] {
            assert!(LayerContent::read(broken).is_err());
        }
        // The size that a header claims is not believed, nor waited for.
        let mut large = tar::Header::new_gnu();
        large.set_path("lib/apk/db/installed").unwrap();
        large.set_size(LONGEST + 1);
        large.set_entry_type(file);
        large.set_cksum();
        let why = LayerContent::read(&large.as_bytes()[..]).unwrap_err();
        assert!(why.to_string().contains("is larger than any"), "{why}");
    }
}
