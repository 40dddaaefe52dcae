//! How much of an archive is read and kept: a layer comes from anybody, and one megabyte may unpack to a
//! thousand.

use std::cell::Cell;
use std::io::{self, Read};

use anyhow::ensure;

use super::{Entry, Kind};

/// Bytes that a layer may unpack to.
pub(super) const UNPACKED: u64 = 16 << 30;

/// Bytes of files that are searched; a sparse file has more than its archive.
const SEARCHED: u64 = UNPACKED;

/// Bytes that are kept of a layer, some million of its files.
const KEPT: u64 = 256 << 20;

/// Bytes kept of an entry besides its texts, about.
const ENTRY: u64 = 200;

/// Bytes of an entry's headers, long names and attributes included: they are held in memory.
const HEADERS: u64 = 1 << 20;

/// The limits of one archive, and how much of them is used.
pub(super) struct Bounds {
    /// Bytes that may be read until the next entry.
    left: Cell<u64>,
    /// Bytes of the entry before that tar may still have to skip.
    before: Cell<u64>,
    kept: Cell<u64>,
    searched: Cell<u64>,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            left: Cell::new(HEADERS),
            before: Cell::new(0),
            kept: Cell::new(0),
            searched: Cell::new(0),
        }
    }
}

/// A stream that fails where headers are longer than they may be.
pub(super) struct Bounded<'a> {
    stream: &'a mut dyn Read,
    bounds: &'a Bounds,
}

impl Bounds {
    pub(super) fn reader<'a>(&'a self, stream: &'a mut dyn Read) -> Bounded<'a> {
        Bounded {
            stream,
            bounds: self,
        }
    }

    /// To be called before each entry.
    pub(super) fn begin_header(&self) {
        self.left.set(self.before.get().saturating_add(HEADERS));
    }

    /// To be called with the bytes that the entry has in the archive.
    pub(super) fn end_header(&self, size: u64) {
        self.before.set(size);
        self.left.set(u64::MAX);
    }

    /// Counts what is kept of an entry, of which `searched` bytes were searched.
    pub(super) fn keep(&self, entry: &Entry, searched: usize) -> anyhow::Result<()> {
        let link = match &entry.kind {
            Kind::Symlink(to) | Kind::Hardlink(to) => to.len(),
            _ => 0,
        };
        let text = entry.text.as_ref().map_or(0, String::len);
        let certificates = 100 * entry.certificates.len();
        let bytes = (entry.path.len() + link + text + certificates) as u64 + ENTRY;
        self.kept.set(self.kept.get() + bytes);
        self.searched.set(self.searched.get() + searched as u64);
        ensure!(
            self.kept.get() <= KEPT && self.searched.get() <= SEARCHED,
            "up to file `{}` its archive has more names and texts than any image needs",
            entry.path
        );
        Ok(())
    }
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.stream.read(buffer)?;
        let left = self.bounds.left.get().checked_sub(length as u64);
        let left = left.ok_or_else(|| io::Error::other("headers of more than 1 MiB"))?;
        self.bounds.left.set(left);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_and_what_is_searched_has_an_end() {
        let text = |length: u64| Entry {
            text: Some(" ".repeat(usize::try_from(length).unwrap())),
            ..Entry::empty("etc/claude-code/a", Kind::File, 0o644)
        };
        let bounds = Bounds::default();
        assert!(bounds.keep(&text(KEPT / 2), 1).is_ok());
        let error = bounds.keep(&text(KEPT / 2), 1).unwrap_err().to_string();
        assert!(error.contains("up to file `etc/claude-code/a`"), "{error}");

        let bounds = Bounds::default();
        let all = usize::try_from(SEARCHED).unwrap();
        assert!(bounds.keep(&text(0), all).is_ok());
        assert!(bounds.keep(&text(0), 1).is_err());
    }
}
