//! One blob of an image, read in one pass: it is hashed and searched as it streams by, so that no
//! blob is held in memory as a whole.

use std::io::{self, BufReader, Cursor, Read};
use std::sync::Arc;

use anyhow::{Context as _, bail, ensure};
use flate2::bufread::MultiGzDecoder;
use xtask::oci::Digest;
use xtask::unpack::{Frames, is_gzip, is_zstd};

use super::hashed::Hashed;
use super::layer_cache::LayerCache;
use super::{Layer, layer};

/// Bytes of JSON that are kept; an SBOM may have more, and nobody reads that here.
const DOCUMENT_MAX: u64 = 8 * 1024 * 1024;

/// A block of an archive, which tells what a blob is.
const BLOCK: u64 = 512;

/// Our own code is not optimised in a debug build, so it is to pass on much at once.
const CHUNK: usize = 256 * 1024;

pub(crate) enum Blob {
    /// JSON, kept whole.
    Document(Vec<u8>),
    Layer(Arc<Layer>),
    Other,
}

impl Blob {
    /// Fails when it is not a layer.
    pub(crate) fn layer(&self) -> anyhow::Result<Arc<Layer>> {
        match self {
            Blob::Layer(layer) => Ok(Arc::clone(layer)),
            _ => bail!("it is no archive of files"),
        }
    }
}

/// Reads a blob, which must be the one that `digest` names. What is found in a layer goes into `cache`.
pub(crate) fn read_blob(
    stream: impl Read,
    digest: &Digest,
    cache: Option<&LayerCache>,
) -> anyhow::Result<Blob> {
    let blob = read(&mut Hashed::new(stream), digest)
        .with_context(|| format!("blob `{digest}` is corrupt or cut short"))?;
    if let (Some(cache), Blob::Layer(layer)) = (cache, &blob) {
        cache.put(digest, layer);
    }
    Ok(blob)
}

fn read(stored: &mut Hashed<impl Read>, digest: &Digest) -> anyhow::Result<Blob> {
    let content = read_content(stored)?;
    let (actual, size) = stored.read_so_far();
    ensure!(
        actual == *digest,
        "its {size} bytes have the SHA-256 {}",
        actual.hex()
    );
    Ok(match content {
        Content::Document(bytes) => Blob::Document(bytes),
        Content::Other => Blob::Other,
        Content::Archive(archive) => Blob::Layer(Arc::new(Layer {
            diff_id: archive.digest,
            size,
            unpacked: archive.size,
            entries: archive.entries,
        })),
    })
}

enum Content {
    Document(Vec<u8>),
    Archive(layer::Archive),
    Other,
}

/// Reads to the end, whatever it is.
fn read_content(stored: &mut impl Read) -> anyhow::Result<Content> {
    let mut stored = BufReader::with_capacity(CHUNK, stored);
    let mut head = Vec::new();
    stored.by_ref().take(BLOCK).read_to_end(&mut head)?;
    let format = Format::of(&head);
    let mut stored = Cursor::new(head).chain(stored);
    let content = match format {
        Format::Gzip => Content::Archive(layer::read(&mut MultiGzDecoder::new(&mut stored))?),
        Format::Zstd => Content::Archive(layer::read(&mut Frames::new(&mut stored))?),
        Format::Tar => Content::Archive(layer::read(&mut stored)?),
        Format::Json => document(&mut stored)?,
        Format::Other => Content::Other,
    };
    io::copy(&mut stored, &mut io::sink())?;
    Ok(content)
}

fn document(stored: &mut impl Read) -> io::Result<Content> {
    let mut bytes = Vec::new();
    let size = stored.take(DOCUMENT_MAX + 1).read_to_end(&mut bytes)?;
    Ok(if size as u64 > DOCUMENT_MAX {
        Content::Other
    } else {
        Content::Document(bytes)
    })
}

/// The format of a blob by its first bytes: its media type is kept elsewhere, and may be wrong.
enum Format {
    Gzip,
    Zstd,
    Tar,
    Json,
    Other,
}

impl Format {
    fn of(head: &[u8]) -> Format {
        // A layer without a file is nothing but zeros.
        let is_empty = head.len() as u64 == BLOCK && head.iter().all(|&byte| byte == 0);
        match head {
            _ if is_gzip(head) => Format::Gzip,
            _ if is_zstd(head) => Format::Zstd,
            _ if is_empty || head.get(257..262) == Some(b"ustar") => Format::Tar,
            [b'{', ..] => Format::Json,
            _ => Format::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;
    use proptest::prelude::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    fn archive() -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        archive
            .append_data(&mut header, "a/b", &b"hello"[..])
            .unwrap();
        archive.into_inner().unwrap()
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        compress_to_vec(bytes, CompressionLevel::Fastest)
    }

    fn read(bytes: &[u8]) -> anyhow::Result<Blob> {
        read_blob(bytes, &Digest::of(bytes), None)
    }

    /// Scanners have refused layers of zstd (project-zot/zot#4255), and layers that are not compressed
    /// (aquasecurity/trivy#883).
    #[test]
    fn a_layer_is_read_however_it_is_stored() {
        let plain = archive();
        let (start, end) = plain.split_at(700);
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9][..], &zstd(&plain)].concat();
        let cases = [
            (plain.clone(), 1),
            (gzip(&plain), 1),
            (zstd(&plain), 1),
            // In several members, and frames.
            ([gzip(start), gzip(end)].concat(), 1),
            ([zstd(start), zstd(end)].concat(), 1),
            (skipped, 1),
            // Layers of no file.
            (vec![0; 1024], 0),
            (gzip(&[0; 1024]), 0),
        ];
        for (number, (stored, entries)) in cases.into_iter().enumerate() {
            let Blob::Layer(layer) = read(&stored).unwrap() else {
                panic!("{number} is no layer");
            };
            assert_eq!(layer.size, stored.len() as u64, "{number}");
            assert_eq!(layer.entries.len(), entries, "{number}");
            let unpacked = if entries == 0 { 1024 } else { plain.len() };
            assert_eq!(layer.unpacked, unpacked as u64, "{number}");
        }
    }

    #[test]
    fn what_is_no_layer_is_json_or_unknown() {
        assert!(matches!(read(b"{\"a\":1}"), Ok(Blob::Document(bytes)) if bytes == b"{\"a\":1}"));
        let mut large = vec![b' '; 9 * 1024 * 1024];
        large[0] = b'{';
        for other in [&b""[..], b"hello", &[0; 100], &large] {
            assert!(matches!(read(other), Ok(Blob::Other)));
        }
    }

    #[test]
    fn a_blob_that_is_not_whole_or_another_one_is_refused() {
        let digest = Digest::of(b"another");
        for blob in [
            archive(),
            gzip(&archive()),
            zstd(&archive()),
            b"{}".to_vec(),
        ] {
            let error = format!("{:#}", read_blob(&blob[..], &digest, None).err().unwrap());
            let expected = format!(
                "blob `{digest}` is corrupt or cut short: its {} bytes have the SHA-256 {}",
                blob.len(),
                Digest::of(&blob).hex()
            );
            assert_eq!(error, expected);
            for length in 0..blob.len() {
                assert!(
                    read_blob(&blob[..length], &Digest::of(&blob), None).is_err(),
                    "{length}"
                );
            }
        }
    }

    #[test]
    fn an_archive_that_was_cut_short_before_it_was_stored_is_refused() {
        let whole = archive();
        for cut in [
            &whole[..300],
            &whole[..514],
            &[&whole[..512], b"x"].concat(),
        ] {
            for stored in [gzip(cut), zstd(cut)] {
                assert!(read(&stored).is_err(), "{}", cut.len());
            }
        }
        for stored in [gzip(&whole), zstd(&whole)] {
            assert!(read(&stored[..stored.len() - 1]).is_err());
        }
        assert!(read(&[gzip(&whole), b"garbage".to_vec()].concat()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 0..10_000_usize, bytes in proptest::array::uniform4(any::<u8>())) {
            for mut stored in [archive(), gzip(&archive()), zstd(&archive())] {
                let at = at % (stored.len() - bytes.len());
                stored[at..at + bytes.len()].copy_from_slice(&bytes);
                let _ = read(&stored);
            }
        }
    }
}
