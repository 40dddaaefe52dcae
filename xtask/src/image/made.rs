//! What a build into the engine's store has made, and the names that it gets then.
//!
//! A buildx that outlives a killed xtask would give its names minutes later, over those of a newer build
//! (docker/cli#4332: a client does not end with the process that started it). So it has none to give.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::docker;
use crate::exec::{self, Exec};
use crate::oci::Digest;
use crate::platform::Platform;

/// How long docker may take for a name; it takes 50 ms.
const LIMIT: Duration = Duration::from_mins(1);
/// How often a name is tried. In containerd's store two who give one name at the same time may both
/// fail (kubernetes-sigs/dra-driver-nvidia-gpu#941).
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// What buildx's metadata file says of an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Made {
    /// None from the classic image store, which keeps no manifest: there the file has the
    /// configuration's digest under both names.
    pub(super) digest: Option<Digest>,
    /// Of the configuration, which is what the classic store calls an image by; none for an index.
    config: Option<Digest>,
    /// Given for a single manifest, by some versions of buildx.
    pub(super) platform: Option<Platform>,
}

impl Made {
    pub(super) fn parse(metadata: &str) -> anyhow::Result<Made> {
        let metadata: serde_json::Value =
            serde_json::from_str(metadata).context("buildx's metadata file is not JSON")?;
        let field = |name: &str| -> anyhow::Result<Option<Digest>> {
            let text = metadata.get(name).and_then(serde_json::Value::as_str);
            let digest = text.map(str::parse).transpose();
            digest
                .map_err(anyhow::Error::msg)
                .with_context(|| format!("bad `{name}` in buildx's metadata file"))
        };
        let digest = field("containerimage.digest")?
            .context("buildx's metadata file names no `containerimage.digest`")?;
        let config = field("containerimage.config.digest")?;
        let platform = &metadata["containerimage.descriptor"]["platform"];
        let os = platform["os"].as_str().unwrap_or_default();
        let arch = platform["architecture"].as_str().unwrap_or_default();
        Ok(Made {
            digest: (config.as_ref() != Some(&digest)).then_some(digest),
            config,
            platform: Platform::of_machine(os, arch),
        })
    }

    /// Gives the image its names, in the engine's store.
    ///
    /// Fails at the first name that the engine does not give, and after a signal of ours.
    pub(super) fn name(&self, exec: &Exec, references: &[String]) -> anyhow::Result<()> {
        references
            .iter()
            .try_for_each(|reference| self.give(exec, reference))
    }

    fn give(&self, exec: &Exec, reference: &str) -> anyhow::Result<()> {
        let mut why = String::new();
        for pause in std::iter::repeat_n(Some(PAUSE), TRIES as usize - 1).chain([None]) {
            // What a builder in a container makes, the classic store knows by its configuration alone.
            for digest in self.digest.iter().chain(&self.config) {
                let ended = docker::within(exec, &["tag", digest.as_str(), reference], LIMIT)?;
                if ended.success() {
                    return Ok(());
                }
                if why.is_empty() {
                    let said = String::from_utf8_lossy(&ended.stderr);
                    why = said.trim().replace("Error response from daemon: ", "");
                }
            }
            pause.map_or(Ok(()), exec::sleep)?;
        }
        bail!(
            "the image is built, but does not get the name `{reference}`: {why}\n  hint: run this \
             again, its steps are cached"
        )
    }
}

/// The line that names what a pasted build has made.
pub(super) fn naming(metadata_file: &Path, reference: &str) -> String {
    let file = metadata_file.display().to_string();
    let file = shell_words::quote(&file);
    let reference = shell_words::quote(reference);
    format!(r#"docker tag "$(jq -r '."containerimage.digest"' {file})" {reference}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_never_that_of_the_configuration() {
        let (image, config) = (Digest::of(b"image"), Digest::of(b"config"));
        let metadata = |digest: &Digest, more: &str| {
            format!(r#"{{"containerimage.digest":"{digest}"{more}}}"#)
        };
        let of_config = format!(r#","containerimage.config.digest":"{config}""#);
        let of_platform = r#","containerimage.descriptor":
            {"platform":{"architecture":"arm64","os":"linux"}}"#;
        for (metadata, digest, has_config, platform) in [
            (metadata(&image, &of_config), Some(&image), true, None),
            (
                metadata(&image, of_platform),
                Some(&image),
                false,
                Some(Platform::LinuxArm64),
            ),
            (metadata(&config, &of_config), None, true, None),
        ] {
            let made = Made {
                digest: digest.cloned(),
                config: has_config.then(|| config.clone()),
                platform,
            };
            assert_eq!(Made::parse(&metadata).unwrap(), made, "{metadata}");
        }
        for wrong in [
            "",
            "{}",
            r#"{"containerimage.digest":1}"#,
            r#"{"containerimage.digest":"sha256:d"}"#,
        ] {
            assert!(Made::parse(wrong).is_err(), "{wrong}");
        }
    }
}
