//! A zstd stream of any number of frames: the crate reads one, layers may have many.

use std::io::{self, BufRead, Read};

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

pub struct Frames<R> {
    stored: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> Frames<R> {
    pub fn new(stored: R) -> Frames<R> {
        Frames {
            stored,
            decoder: FrameDecoder::new(),
        }
    }

    /// Begins the next frame; false at the end.
    fn next(&mut self) -> io::Result<bool> {
        while !self.stored.fill_buf()?.is_empty() {
            match self.decoder.init(&mut self.stored) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => self.skip(u64::from(length))?,
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }

    /// Some writers keep a table of contents in frames that are not to be read.
    fn skip(&mut self, length: u64) -> io::Result<()> {
        let skipped = io::copy(&mut (&mut self.stored).take(length), &mut io::sink())?;
        if skipped < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if self.decoder.is_finished() {
                if !self.next()? {
                    return Ok(0);
                }
            } else {
                let one = BlockDecodingStrategy::UptoBlocks(1);
                let decoded = self.decoder.decode_blocks(&mut self.stored, one);
                decoded.map_err(io::Error::other)?;
            }
        }
        self.decoder.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    /// What `printf 'the same, the same, the same, the same, the same, the same' | zstd -19` writes.
    const REFERENCE: &[u8] = b"\x28\xb5\x2f\xfd\x04\x68\x85\x00\x00\x50the same, \x01\x00\
        \x35\x2a\x48\x0a\xd8\xfe\xa1";

    fn unpack(stored: &[u8]) -> io::Result<Vec<u8>> {
        let mut unpacked = Vec::new();
        Frames::new(stored).read_to_end(&mut unpacked)?;
        Ok(unpacked)
    }

    #[test]
    fn frames_follow_each_other_and_some_are_skipped() {
        let frame = |text: &[u8]| compress_to_vec(text, CompressionLevel::Fastest);
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"xyz"].concat();
        let (one, two) = (frame(b"one"), frame(b"two"));
        let cases = [
            (vec![], ""),
            (one.clone(), "one"),
            (skipped.clone(), ""),
            ([&one[..], &two].concat(), "onetwo"),
            (
                [&skipped[..], &one, &skipped, &frame(b""), &two].concat(),
                "onetwo",
            ),
            (
                REFERENCE.to_vec(),
                "the same, the same, the same, the same, the same, the same",
            ),
        ];
        for (stored, expected) in cases {
            assert_eq!(unpack(&stored).unwrap(), expected.as_bytes(), "{stored:x?}");
        }
        for broken in [&one[..one.len() - 1], &one[..5], &skipped[..10], b"other"] {
            assert!(unpack(broken).is_err(), "{broken:x?}");
        }
    }
}
