//! Layers, unpacked as they are read: a registry keeps them compressed in one of several ways.

mod zstd;

use std::io::{self, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

pub use self::zstd::Frames;

/// Our own code is not optimised in a debug build, so it is to pass on much at once.
const CHUNK: usize = 256 * 1024;

/// The archive within a layer, whichever way it is compressed, if at all: its first bytes say it.
pub(crate) fn unpack<'a>(stored: impl Read + 'a) -> io::Result<Box<dyn Read + 'a>> {
    let mut stored = BufReader::with_capacity(CHUNK, stored);
    let mut head = Vec::new();
    stored.by_ref().take(4).read_to_end(&mut head)?;
    let (is_gzip, is_zstd) = (is_gzip(&head), is_zstd(&head));
    let stored = BufReader::with_capacity(CHUNK, Cursor::new(head).chain(stored));
    Ok(if is_gzip {
        Box::new(MultiGzDecoder::new(stored))
    } else if is_zstd {
        Box::new(Frames::new(stored))
    } else {
        Box::new(stored)
    })
}

/// Whether bytes that begin so are compressed by gzip.
pub fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

/// Whether bytes that begin so are compressed by zstd; some writers begin with a frame that is to
/// be skipped.
pub fn is_zstd(head: &[u8]) -> bool {
    matches!(
        head,
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]
    )
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    #[test]
    fn a_layer_is_unpacked_however_it_is_stored() {
        let plain = b"hello, hello, hello".repeat(1000);
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&plain).unwrap();
        let zstd = compress_to_vec(&plain[..], CompressionLevel::Fastest);
        for stored in [gzip.finish().unwrap(), zstd, plain.clone()] {
            let mut unpacked = Vec::new();
            unpack(&stored[..])
                .unwrap()
                .read_to_end(&mut unpacked)
                .unwrap();
            assert_eq!(unpacked, plain);
        }
        let mut nothing = Vec::new();
        unpack(&b""[..]).unwrap().read_to_end(&mut nothing).unwrap();
        assert_eq!(nothing, b"");
    }

    #[test]
    fn a_layer_that_is_cut_short_is_an_error() {
        let zstd = compress_to_vec(&b"hello"[..], CompressionLevel::Fastest);
        let mut unpacked = unpack(&zstd[..zstd.len() - 1]).unwrap();
        assert!(unpacked.read_to_end(&mut Vec::new()).is_err());
    }
}
