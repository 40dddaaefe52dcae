//! Receipts: what a verification proved, and of which digest. `docs/verify.md` describes the file.

pub(crate) mod validity;

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use xtask::files;
use xtask::oci::Digest;
use xtask::platform::Platform;
use xtask::verify;

use super::check::{Outcome, Status};

/// How the checks ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Execution {
    /// Containers ran on a machine of the platform.
    Native,
    /// Containers ran under emulation.
    Emulated,
    /// This machine cannot run the platform: only files were read.
    Static,
}

impl Execution {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Execution::Native => "native",
            Execution::Emulated => "emulated",
            Execution::Static => "static",
        }
    }
}

/// What was proven of one platform of an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) schema: u32,
    /// The name that was asked for. Only the digests prove what was verified.
    pub(crate) image: String,
    /// Of the index; absent when the image is one manifest.
    pub(crate) index: Option<Digest>,
    /// Absent for an engine whose classic store keeps no manifest.
    pub(crate) manifest: Option<Digest>,
    /// Of the image's configuration; absent when it could not be read.
    pub(crate) config: Option<Digest>,
    pub(crate) platform: Platform,
    pub(crate) execution: Execution,
    /// The image's revision label.
    pub(crate) revision: Option<String>,
    /// The hash of the checks.
    pub(crate) check_set: Digest,
    pub(crate) versions: ToolVersions,
    /// RFC 3339, in UTC.
    pub(crate) started: String,
    pub(crate) finished: String,
    /// Wall clock.
    pub(crate) seconds: f64,
    /// One for every check of the check set.
    pub(crate) results: Vec<Outcome>,
}

/// What the checks ran with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ToolVersions {
    pub(crate) xtask: String,
    pub(crate) engine: Option<String>,
    pub(crate) buildx: Option<String>,
}

impl Receipt {
    /// The version of the file's form.
    pub(crate) const SCHEMA: u32 = 1;

    /// The digest that names the image: of its index, else its manifest, else its configuration.
    pub(crate) fn digest(&self) -> Option<&Digest> {
        let manifest = self.manifest.as_ref();
        self.index.as_ref().or(manifest).or(self.config.as_ref())
    }

    /// The receipt's path below `folder`: `<digest>/<platform>.json`, with dashes for characters
    /// that some file systems refuse. A receipt with checks left out is not enough for a release
    /// and must not replace one that is: its name is `<platform>.partial.json`.
    fn path(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let Some(digest) = self.digest() else {
            bail!(
                "`{}` has no digest to write a receipt for; hint: `docker image inspect` says \
                 what the engine has of it",
                self.image
            );
        };
        let file = verify::receipt_file(folder, digest, self.platform);
        let mut statuses = self.results.iter().map(|one| one.status);
        let is_partial = statuses.any(|status| status == Status::Skipped);
        Ok(if is_partial {
            file.with_extension("partial.json")
        } else {
            file
        })
    }

    /// Writes the receipt below `folder`, atomically. A bundle that signs an older one is removed first.
    pub(crate) fn write(&self, folder: &Path) -> anyhow::Result<PathBuf> {
        let path = self.path(folder)?;
        remove(&verify::bundle_file(&path))?;
        let failed = || {
            format!(
                "failed to write the receipt `{}`; hint: `--receipt-dir DIR` writes it elsewhere",
                path.display()
            )
        };
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        xtask::report::write_whole(&path, &text).with_context(failed)?;
        Ok(path)
    }

    /// Reads a receipt that this tool wrote.
    #[cfg(test)]
    pub(crate) fn read(path: &Path) -> anyhow::Result<Receipt> {
        let value = verify::read_receipt(path)?;
        Receipt::parse(value).with_context(|| format!("`{}` is not a receipt", path.display()))
    }

    /// Takes JSON for a receipt that this tool wrote.
    pub(crate) fn parse(value: Value) -> anyhow::Result<Receipt> {
        const HINT: &str = "hint: `cargo xtask verify` writes one";
        ensure!(value.is_object(), "it is JSON, but no object; {HINT}");
        let schema = value.get("schema").and_then(Value::as_u64);
        let Some(schema) = schema else {
            bail!("it has no `schema`; {HINT}");
        };
        ensure!(
            schema == u64::from(Receipt::SCHEMA),
            "it is written in schema {schema}, and this xtask reads {}; hint: `cargo xtask verify` \
         writes a new one",
            Receipt::SCHEMA
        );
        serde_json::from_value(value).map_err(|error| anyhow::anyhow!("{error}; {HINT}"))
    }
}

fn remove(path: &Path) -> anyhow::Result<()> {
    files::remove(path).with_context(|| {
        format!(
            "failed to remove `{}`, which signs an older receipt; hint: `--receipt-dir DIR` writes elsewhere",
            path.display()
        )
    })
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::check::Status;

    pub(crate) fn digest(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    pub(super) fn outcome(id: &str, status: Status) -> Outcome {
        Outcome {
            id: id.to_owned(),
            status,
            seen: "x".to_owned(),
            expected: None,
            remedy: None,
            busy: false,
            seconds: 0.5,
        }
    }

    pub(crate) fn good() -> Receipt {
        Receipt {
            schema: Receipt::SCHEMA,
            image: "agentgate/agent:dev".to_owned(),
            index: Some(digest("index")),
            manifest: Some(digest("amd64")),
            config: Some(digest("config")),
            platform: Platform::LinuxAmd64,
            execution: Execution::Native,
            revision: Some("1ceb56ba0b8b8c4c6882fec8ea36ba45328c3269".to_owned()),
            check_set: digest("checks"),
            versions: ToolVersions {
                xtask: "0.2.13".to_owned(),
                engine: Some("28.5.2".to_owned()),
                buildx: None,
            },
            started: "2026-11-25T05:12:59Z".to_owned(),
            finished: "2026-11-25T05:13:09Z".to_owned(),
            seconds: 10.0,
            results: vec![
                outcome("seed-3-node", Status::Passed),
                outcome("image-growth", Status::NotApplicable),
            ],
        }
    }

    #[test]
    fn a_receipt_is_written_whole_and_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let receipt = good();
        let path = receipt.write(folder.path()).unwrap();
        let digest = digest("index").as_str().replace(':', "-");
        assert_eq!(path, folder.path().join(digest).join("linux-amd64.json"));
        assert_eq!(Receipt::read(&path).unwrap(), receipt);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
        let bundle = verify::bundle_file(&path);
        assert_eq!(bundle, path.with_file_name("linux-amd64.sigstore.json"));
        fs::write(&bundle, "signs the first").unwrap();
        let again = Receipt {
            seconds: 1.0,
            ..receipt
        };
        again.write(folder.path()).unwrap();
        assert_eq!(Receipt::read(&path).unwrap(), again);
        assert!(!bundle.exists());
        fs::write(&bundle, "signs the second").unwrap();
        let mut partial = again.clone();
        partial.results[0].status = Status::Skipped;
        let beside = partial.write(folder.path()).unwrap();
        assert!(bundle.exists());
        fs::remove_file(&bundle).unwrap();
        assert_eq!(beside, path.with_file_name("linux-amd64.partial.json"));
        assert_eq!(Receipt::read(&path).unwrap(), again);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 2);
    }

    #[test]
    fn the_folder_is_named_after_what_the_image_was_called_by() {
        let mut receipt = good();
        assert_eq!(receipt.digest(), Some(&digest("index")));
        receipt.index = None;
        assert_eq!(receipt.digest(), Some(&digest("amd64")));
        receipt.manifest = None;
        assert_eq!(receipt.digest(), Some(&digest("config")));
        receipt.config = None;
        let folder = tempfile::tempdir().unwrap();
        let error = receipt.write(folder.path()).unwrap_err().to_string();
        assert!(error.contains("has no digest"), "{error}");
    }

    #[test]
    fn a_folder_that_cannot_be_is_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = format!("{:#}", good().write(file.path()).unwrap_err());
        assert!(error.contains("hint: `--receipt-dir DIR`"), "{error}");
    }

    /// Reads a file of this text.
    fn read(text: &str) -> anyhow::Result<Receipt> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, text).unwrap();
        Receipt::read(file.path())
    }

    #[test]
    fn what_is_no_receipt_is_told_so() {
        let mut other = serde_json::to_value(good()).unwrap();
        let without = |name: &str| {
            let mut less = other.clone();
            less.as_object_mut().unwrap().remove(name);
            less.to_string()
        };
        let (no_manifest, no_results) = (without("manifest"), without("results"));
        other["check_set"] = "sha256:12".into();
        for (text, words) in [
            ("", "it is not JSON"),
            ("<xml/>", "it is not JSON"),
            ("[]", "no object"),
            (r#"{"schema":1,"schema":1}"#, "twice"),
            ("{}", "it has no `schema`"),
            (r#"{"schema":"1"}"#, "it has no `schema`"),
            (r#"{"schema":2}"#, "it is written in schema 2"),
            (r#"{"schema":1}"#, "missing field `image`"),
            (&no_results, "missing field `results`"),
            (&other.to_string(), "bad digest `sha256:12`"),
        ] {
            let error = format!("{:#}", read(text).unwrap_err());
            assert!(error.contains(words), "{text}: {error}");
            assert!(error.contains("hint: "), "{text}: {error}");
        }
        assert_eq!(read(&no_manifest).unwrap().manifest, None);
        let error = format!("{:#}", Receipt::read(Path::new("/nowhere")).unwrap_err());
        assert!(error.contains("`/nowhere`"), "{error}");
        assert!(Receipt::read(Path::new("/")).is_err());
    }
}
