//! How the layers of a push are compressed: `--compression`.

use std::str::FromStr;

/// How layers are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Compression {
    pub(super) kind: &'static str,
    pub(super) level: u32,
}

impl Default for Compression {
    /// The level after which seconds grow faster than bytes shrink (measured, see docs/image.md).
    fn default() -> Self {
        Compression {
            kind: "zstd",
            level: 3,
        }
    }
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, level) = match text.split_once(':') {
            Some((kind, level)) => (kind, Some(level)),
            None => (text, None),
        };
        let (kind, usual, highest) = match kind {
            "zstd" => ("zstd", Compression::default().level, 22),
            "gzip" => ("gzip", 6, 9),
            _ => {
                return Err(format!(
                    "unknown compression `{text}`: expected `zstd` or `gzip`, with a level as in \
                     `zstd:19`"
                ));
            }
        };
        let level = match level {
            None => usual,
            Some(level) => match level.parse() {
                Ok(level) if level <= highest => level,
                _ => {
                    return Err(format!(
                        "{kind} has the levels 0 to {highest}, not `{level}`"
                    ));
                }
            },
        };
        Ok(Compression { kind, level })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressions_have_levels() {
        let read = |text: &str| {
            let Compression { kind, level } = text.parse().unwrap();
            (kind, level)
        };
        assert_eq!(read("zstd"), ("zstd", Compression::default().level));
        assert_eq!(read("zstd:19"), ("zstd", 19));
        assert_eq!(read("gzip"), ("gzip", 6));
        assert_eq!(read("gzip:1"), ("gzip", 1));
        for wrong in ["", "zstd:23", "gzip:10", "zstd:", "zstd:x", "xz", "zstd:-1"] {
            assert!(wrong.parse::<Compression>().is_err(), "{wrong}");
        }
    }
}
