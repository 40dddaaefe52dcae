//! Bytes that are hashed and counted as they are read.

use std::io::{self, Read};

use sha2::{Digest as _, Sha256};
use xtask::oci::Digest;

/// Hashes and counts what is read through it.
pub(super) struct Hashed<R> {
    inner: R,
    hash: Sha256,
    size: u64,
    most: u64,
}

impl<R> Hashed<R> {
    pub(super) fn new(inner: R) -> Hashed<R> {
        Hashed::up_to(u64::MAX, inner)
    }

    /// Reading fails after `most` bytes.
    pub(super) fn up_to(most: u64, inner: R) -> Hashed<R> {
        Hashed {
            inner,
            hash: Sha256::new(),
            size: 0,
            most,
        }
    }

    /// The digest and the number of the bytes that were read until now.
    pub(super) fn read_so_far(&self) -> (Digest, u64) {
        (Digest::of_hash(&self.hash.clone().finalize()), self.size)
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.hash.update(&buffer[..length]);
        self.size += length as u64;
        if self.size > self.most {
            let text = format!("it is larger than {} MiB", self.most >> 20);
            return Err(io::Error::other(text));
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A little that unpacks to a lot ends where it is more than any layer has.
    #[test]
    fn more_than_there_may_be_is_an_error() {
        let mut hashed = Hashed::up_to(3 << 30, &b"hello"[..]);
        io::copy(&mut hashed, &mut io::sink()).unwrap();
        assert_eq!(hashed.read_so_far(), (Digest::of(b"hello"), 5));

        let mut endless = Hashed::up_to(1 << 20, io::repeat(0));
        let error = io::copy(&mut endless, &mut io::sink()).unwrap_err();
        assert_eq!(error.to_string(), "it is larger than 1 MiB");
    }
}
