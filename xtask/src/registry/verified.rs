//! Reads bytes, and fails where they are not those of a digest.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};

use crate::oci::Digest;

/// Reads a blob and fails where its bytes are not those of its digest, at the latest with the last of
/// them.
pub(super) struct Verified<R> {
    inner: R,
    hash: Sha256,
    expected: Digest,
    /// How many bytes are left, where the registry says so.
    left: Option<u64>,
    is_done: bool,
}

impl<R: Read> Verified<R> {
    pub(super) fn new(inner: R, expected: &Digest, length: Option<u64>) -> Verified<R> {
        Verified {
            inner,
            hash: Sha256::new(),
            expected: expected.clone(),
            left: length,
            is_done: false,
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.is_done = true;
        let found = Digest::of_hash(&self.hash.finalize_reset());
        if found == self.expected {
            return Ok(());
        }
        let expected = &self.expected;
        let text = format!(
            "the bytes of `{expected}` are others (`{found}`); hint: a proxy or the registry's store \
             is broken, ask its operator"
        );
        Err(io::Error::new(io::ErrorKind::InvalidData, text))
    }
}

impl<R: Read> Read for Verified<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() || self.is_done {
            return Ok(0);
        }
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        let read = u64::try_from(count).unwrap_or(u64::MAX);
        self.left = self.left.map(|left| left.saturating_sub(read));
        if count == 0 || self.left == Some(0) {
            self.check()?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_of_other_bytes_ends_with_an_error() {
        let right = Digest::of(b"right");
        for (bytes, length, is_right) in [
            (&b"right"[..], Some(5), true),
            (b"right", None, true),
            (b"wrong", Some(5), false),
            (b"wrong", None, false),
            (b"rig", None, false),
            (b"right and more", None, false),
            (b"right", Some(0), true),
            (b"", None, false),
        ] {
            let mut found = Vec::new();
            let mut blob = Verified::new(bytes, &right, length);
            let read = blob.read_to_end(&mut found);
            assert_eq!(read.is_ok(), is_right, "{bytes:?} {length:?}: {read:?}");
        }
    }
}
