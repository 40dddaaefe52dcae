//! The content of a file: its format, and the secrets and certificates in it.

use std::io::Read;

use anyhow::ensure;
use xtask::oci::Digest;

use super::certificates::certificates_in;
use super::secrets::secrets_in;
use super::{Elf, elf};

/// Bytes of a file that is searched; what is larger is data.
const SEARCHED_MAX: u64 = 1024 * 1024;

/// Bytes of a file whose content is kept.
const TEXT_MAX: u64 = 8 * 1024 * 1024;

/// What is known of a file's content.
#[derive(Default)]
pub(super) struct Content {
    pub(super) elf: Option<Elf>,
    pub(super) text: Option<String>,
    pub(super) secrets: Vec<&'static str>,
    pub(super) certificates: Vec<Digest>,
}

impl Content {
    /// `buffer` is used for one file after the other.
    pub(super) fn read(
        path: &str,
        size: u64,
        stream: &mut impl Read,
        buffer: &mut Vec<u8>,
    ) -> anyhow::Result<Content> {
        let is_kept = is_kept(path);
        let max = if is_kept { TEXT_MAX } else { SEARCHED_MAX };
        buffer.clear();
        read_up_to(stream, size.min(elf::HEAD), buffer)?;
        if let Some(elf) = Elf::read(buffer, &mut *stream)? {
            return Ok(Content {
                elf: Some(elf),
                ..Content::default()
            });
        }
        if size > max {
            return Ok(Content::default());
        }
        read_up_to(stream, size, buffer)?;
        let text = std::str::from_utf8(buffer).ok().filter(|_| is_kept);
        Ok(Content {
            elf: None,
            text: text.map(str::to_owned),
            secrets: secrets_in(buffer),
            certificates: certificates_in(buffer),
        })
    }
}

/// Reads until `buffer` has `size` bytes.
fn read_up_to(stream: &mut impl Read, size: u64, buffer: &mut Vec<u8>) -> anyhow::Result<()> {
    let rest = size.saturating_sub(buffer.len() as u64);
    stream.take(rest).read_to_end(buffer)?;
    ensure!(
        buffer.len() as u64 >= size,
        "it ends after {} of {size} bytes",
        buffer.len()
    );
    Ok(())
}

/// Whether a check reads this file.
fn is_kept(path: &str) -> bool {
    matches!(
        path,
        "etc/passwd"
            | "etc/group"
            | "etc/shadow"
            | "etc/apk/world"
            | "etc/gitconfig"
            | "etc/os-release"
            | "lib/apk/db/installed"
            | "usr/lib/apk/db/installed"
    ) || path.starts_with("etc/claude-code/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(path: &str, bytes: &[u8]) -> Content {
        // What is left of the file before must not matter.
        let mut buffer = b"\x7fELF".to_vec();
        Content::read(path, bytes.len() as u64, &mut &bytes[..], &mut buffer).unwrap()
    }

    #[test]
    fn a_file_that_ends_early_is_refused() {
        let error = Content::read("a", 4, &mut &b"abc"[..], &mut Vec::new())
            .err()
            .unwrap();
        assert_eq!(error.to_string(), "it ends after 3 of 4 bytes");
    }

    #[test]
    fn contents_are_looked_through() {
        let program = std::fs::read("/bin/sh").unwrap();
        let elf = content("bin/sh", &program);
        assert_eq!(elf.elf, Elf::parse(&program));

        let token = format!("x gh{}_{}", "p", "1a2B3c4D5e6F7g8H9i".repeat(2));
        let pem = "-----BEGIN CERTIFICATE-----\nMGZpcnN0\n-----END CERTIFICATE-----\n";
        let text = format!("{pem}{token}");
        let found = content("srv/x", text.as_bytes());
        assert_eq!(found.secrets, ["GitHub token"]);
        assert_eq!(found.certificates, [Digest::of(b"0first")]);
        assert_eq!((found.elf, found.text), (None, None));

        let limit = usize::try_from(SEARCHED_MAX).unwrap();
        for (length, expected) in [(limit, 1), (limit + 1, 0)] {
            let padded = [" ".repeat(length - token.len()), token.clone()].concat();
            assert_eq!(
                content("a", padded.as_bytes()).secrets.len(),
                expected,
                "{length}"
            );
        }
    }

    #[test]
    fn some_texts_are_kept() {
        for path in [
            "etc/passwd",
            "etc/claude-code/a/b.json",
            "usr/lib/apk/db/installed",
        ] {
            assert_eq!(
                content(path, b"text").text.as_deref(),
                Some("text"),
                "{path}"
            );
            assert_eq!(content(path, b"\xff").text, None, "{path}");
        }
        for path in ["etc/passwd-", "etc/claude-code", "srv/etc/passwd"] {
            assert_eq!(content(path, b"text").text, None, "{path}");
        }
        let large = "a".repeat(2 << 20);
        assert_eq!(
            content("lib/apk/db/installed", large.as_bytes()).text,
            Some(large)
        );
    }
}
