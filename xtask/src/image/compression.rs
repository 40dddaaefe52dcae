//! How layers are compressed: `--compression`.
//!
//! BuildKit has one kind of compression for all layers that it makes, and keeps what it has already in another
//! kind, the base's layers among them (moby/buildkit#1911), unless it is forced to convert each.

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

impl Compression {
    /// The exporter's options.
    ///
    /// Layers of a base stay as they are. But for gzip all are converted: it is asked for by those whose
    /// clients read nothing else, and a base of gzip is not converted by that.
    pub(super) fn options(self) -> String {
        let Compression { kind, level } = self;
        let forced = if self.is_forced() {
            ",force-compression=true"
        } else {
            ""
        };
        format!("compression={kind},compression-level={level}{forced}")
    }

    fn is_forced(self) -> bool {
        self.kind == "gzip"
    }

    /// Whether a layer of this type is compressed so.
    pub(super) fn is_of(self, media_type: &str) -> bool {
        media_type.rsplit(['.', '+']).next() == Some(self.kind)
    }

    /// Whether a base's layer of this type stays as it is.
    pub(super) fn keeps(self, media_type: &str) -> bool {
        !self.is_forced() || self.is_of(media_type)
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
        let options = |text: &str| text.parse::<Compression>().unwrap().options();
        assert_eq!(options("zstd:9"), "compression=zstd,compression-level=9");
        assert_eq!(
            options("gzip"),
            "compression=gzip,compression-level=6,force-compression=true"
        );
        for wrong in ["", "zstd:23", "gzip:10", "zstd:", "zstd:x", "xz", "zstd:-1"] {
            assert!(wrong.parse::<Compression>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_base_stays_but_for_clients_of_gzip_alone() {
        let [oci, docker] = [
            "application/vnd.oci.image.layer.v1.tar",
            "application/vnd.docker.image.rootfs.diff.tar",
        ];
        let (gzip, zstd, plain) = (
            format!("{docker}.gzip"),
            format!("{oci}+zstd"),
            oci.to_owned(),
        );
        for (kind, media_type, is_of, keeps) in [
            ("zstd", &zstd, true, true),
            ("zstd", &gzip, false, true),
            ("zstd", &plain, false, true),
            ("gzip", &zstd, false, false),
            ("gzip", &gzip, true, true),
            ("gzip", &format!("{oci}+gzip"), true, true),
            ("gzip", &plain, false, false),
        ] {
            let compression: Compression = kind.parse().unwrap();
            let said = (compression.is_of(media_type), compression.keeps(media_type));
            assert_eq!(said, (is_of, keeps), "{kind} {media_type}");
        }
    }
}
