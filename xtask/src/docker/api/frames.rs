//! What a program without a terminal prints, as the engine sends it: frames of stdout and of stderr, each with a
//! head of eight bytes (the API's description, "Stream format" of `attach`).

use std::io::{self, Read};

use super::failure::Failure;
use crate::exec::KEPT;
use crate::printable::short;

/// What a program printed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Output {
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Reads to the end.
///
/// Fails when the stream ends within a frame, when a head is none, and when the engine says in a frame of its own
/// that it cannot go on.
pub(super) fn read_frames(mut stream: impl Read) -> Result<Output, Failure> {
    let mut output = Output::default();
    let mut failed = Vec::new();
    while let Some((kind, length)) = read_head(&mut stream)? {
        let to = match kind {
            1 => &mut output.stdout,
            2 => &mut output.stderr,
            3 => &mut failed,
            _ => return Err(Failure::odd("its output has a frame of an unknown kind")),
        };
        let room = (KEPT - to.len()) as u64;
        let mut frame = stream.by_ref().take(length);
        let read = frame.by_ref().take(room).read_to_end(to);
        let left = read.and_then(|_| io::copy(&mut frame, &mut io::sink()));
        left.map_err(Failure::of_reading)?;
        if frame.limit() > 0 {
            return Err(Failure::odd("its output ends within a frame"));
        }
    }
    if failed.is_empty() {
        return Ok(output);
    }
    Err(Failure::Gone(short(&String::from_utf8_lossy(&failed))))
}

/// The kind and the length of the next frame; none at the end.
fn read_head(stream: &mut impl Read) -> Result<Option<(u8, u64)>, Failure> {
    let mut head = Vec::with_capacity(8);
    let read = stream.by_ref().take(8).read_to_end(&mut head);
    read.map_err(Failure::of_reading)?;
    match head[..] {
        [] => Ok(None),
        [kind, 0, 0, 0, a, b, c, d] => Ok(Some((kind, u32::from_be_bytes([a, b, c, d]).into()))),
        [_, _, _, _, _, _, _, _] => Err(Failure::odd("its output is not in frames")),
        _ => Err(Failure::odd("its output ends within a frame")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, text: &str) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[kind, 0, 0, 0], &length[..], text.as_bytes()].concat()
    }

    /// Gives one byte at a time, as a slow connection may.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let count = into.len().min(1);
            (&mut self.0).take(count as u64).read(into)
        }
    }

    /// apocas/dockerode#592: what is read at once is several frames, or a part of one.
    #[test]
    fn output_is_taken_apart() {
        let stream = [frame(1, "a"), frame(2, "e\n"), frame(1, ""), frame(1, "b")].concat();
        let expected = Output {
            stdout: b"ab".to_vec(),
            stderr: b"e\n".to_vec(),
        };
        assert_eq!(read_frames(&stream[..]).unwrap(), expected);
        assert_eq!(read_frames(Slow(&stream)).unwrap(), expected);
        assert_eq!(read_frames(&[][..]).unwrap(), Output::default());
    }

    /// apocas/dockerode#736: a head is printed as text. testcontainers/testcontainers-node#1381: output that is cut
    /// off passes for whole.
    #[test]
    fn what_is_no_frame_is_no_output() {
        let whole = frame(1, "hello");
        let mut error = frame(1, "a");
        error.extend(frame(3, "cannot copy\n"));
        for (stream, expected) in [
            (&whole[..12], "its output ends within a frame"),
            (&whole[..8], "its output ends within a frame"),
            (&whole[..3], "its output ends within a frame"),
            (b"hello, world", "its output is not in frames"),
            (&frame(0, "a"), "its output has a frame of an unknown kind"),
            (&frame(4, "a"), "its output has a frame of an unknown kind"),
            (&error, "cannot copy"),
        ] {
            let failure = read_frames(stream).unwrap_err().to_string();
            let expected = format!("the engine does not answer: {expected}");
            assert_eq!(failure, expected);
        }
    }

    #[test]
    fn a_flood_is_read_but_not_kept() {
        let megabyte = "x".repeat(1 << 20);
        let stream = [frame(1, &megabyte).repeat(17), frame(2, "end")].concat();
        let output = read_frames(&stream[..]).unwrap();
        assert_eq!(output.stdout.len(), KEPT);
        assert_eq!(output.stderr, b"end");
    }
}
