//! Indexes, manifests and configurations, in OCI's form and in Docker's (image-spec 1.1, and
//! Docker's `HEALTHCHECK`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A SHA-256 of bytes: `sha256:` and 64 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(String);

impl Digest {
    pub fn of(bytes: &[u8]) -> Digest {
        Digest::of_hash(&Sha256::digest(bytes))
    }

    /// From a finished SHA-256.
    pub fn of_hash(hash: &[u8]) -> Digest {
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        Digest(format!("sha256:{hex}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve hex digits, for people to read.
    pub fn short(&self) -> &str {
        &self.0[7..19]
    }

    pub fn hex(&self) -> &str {
        &self.0[7..]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> String {
        digest.0
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        match text.strip_prefix("sha256:") {
            Some(hex) if hex.len() == 64 && hex.chars().all(is_hex) => Ok(Digest(text.to_owned())),
            _ => Err(format!(
                "bad digest `{text}`: expected `sha256:` and 64 lower-case hex digits"
            )),
        }
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A reference to bytes by their digest.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    #[serde(default)]
    pub media_type: String,
    pub digest: Digest,
    /// Bytes as stored; most layers are compressed.
    pub size: u64,
    #[serde(default)]
    pub platform: Option<OciPlatform>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// A platform as an index names it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct OciPlatform {
    pub os: String,
    pub architecture: String,
    #[serde(default)]
    pub variant: Option<String>,
}

impl OciPlatform {
    /// Whether this names `platform`. The only variant of arm64 is `v8`, and it may be left out.
    pub fn is(&self, platform: crate::platform::Platform) -> bool {
        platform.as_str() == format!("{}/{}", self.os, self.architecture)
            && matches!(self.variant.as_deref(), None | Some("" | "v8"))
    }
}

impl fmt::Display for OciPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        match self.variant.as_deref() {
            None | Some("") => Ok(()),
            Some(variant) => write!(f, "/{variant}"),
        }
    }
}

impl Descriptor {
    /// Whether BuildKit marked it as provenance or SBOM. Their platform is `unknown/unknown`, but that
    /// of an image may be, too.
    pub fn is_attestation(&self) -> bool {
        let kind = self.annotations.get("vnd.docker.reference.type");
        kind.is_some_and(|kind| kind == "attestation-manifest")
    }
}

/// Several manifests under one digest, one for each platform.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Index {
    pub manifests: Vec<Descriptor>,
}

/// One image for one platform (or one attestation).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Manifest {
    pub config: Descriptor,
    /// The lowest first.
    pub layers: Vec<Descriptor>,
}

impl Manifest {
    /// The ends of the layers' media types: `gzip`, `zstd`, or `tar` for none.
    pub fn compressions(&self) -> BTreeSet<String> {
        let types = self.layers.iter().map(|layer| &*layer.media_type);
        let ends = types.filter_map(|name| name.rsplit(['.', '+']).next());
        ends.map(ToOwned::to_owned).collect()
    }
}

/// What the digest of an image can lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    Index(Index),
    Manifest(Manifest),
}

impl Document {
    /// Parses an index or a manifest. Its fields tell which, since `mediaType` may be left out.
    pub fn parse(bytes: &[u8]) -> anyhow::Result<Document> {
        let value: serde_json::Value =
            serde_json::from_slice(bytes).context("it is not JSON, so it is not a manifest")?;
        if value.get("manifests").is_some() {
            let index = serde_json::from_value(value).context("it is not a valid index")?;
            return Ok(Document::Index(index));
        }
        if value.get("layers").is_some() && value.get("config").is_some() {
            let manifest = serde_json::from_value(value).context("it is not a valid manifest")?;
            return Ok(Document::Manifest(manifest));
        }
        bail!("it is neither an index nor a manifest of an image")
    }
}

/// An image's configuration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub config: Process,
    #[serde(default)]
    pub history: Vec<Step>,
}

/// How a container of the image is started.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Process {
    pub user: String,
    #[serde(deserialize_with = "or_default")]
    pub env: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    #[serde(deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    pub working_dir: String,
    pub stop_signal: Option<String>,
    #[serde(deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub volumes: BTreeMap<String, serde_json::Value>,
    #[serde(deserialize_with = "or_default")]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    pub healthcheck: Option<Healthcheck>,
}

impl Process {
    /// The value of an environment variable.
    pub fn env(&self, name: &str) -> Option<&str> {
        self.env
            .iter()
            .find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }
}

/// Docker's `HEALTHCHECK`; times are in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Healthcheck {
    /// `CMD` and the words of a command, `CMD-SHELL` and a line, or `NONE`.
    pub test: Vec<String>,
    pub interval: u64,
    pub timeout: u64,
    pub retries: u64,
}

/// One step of the build that made the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Step {
    pub created_by: String,
    pub empty_layer: bool,
}

/// Go writes an empty list as `null`.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::Platform;

    #[test]
    fn digests_are_checked() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").as_str(), empty);
        assert_eq!(empty.parse::<Digest>().unwrap().short(), "e3b0c44298fc");
        for wrong in [
            "",
            "sha256:",
            "sha512:00",
            &empty[..70],
            &empty.to_uppercase(),
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_index_and_a_manifest_are_known_by_their_fields() {
        let digest = Digest::of(b"");
        let descriptor = format!(r#"{{"mediaType":"m","digest":"{digest}","size":1}}"#);
        let index = format!(r#"{{"manifests":[{descriptor}]}}"#);
        assert!(matches!(
            Document::parse(index.as_bytes()),
            Ok(Document::Index(_))
        ));
        let manifest = format!(r#"{{"config":{descriptor},"layers":[]}}"#);
        assert!(matches!(
            Document::parse(manifest.as_bytes()),
            Ok(Document::Manifest(_))
        ));
        for wrong in [
            "",
            "[]",
            "{}",
            r#"{"manifests":1}"#,
            r#"{"config":1,"layers":[]}"#,
        ] {
            assert!(Document::parse(wrong.as_bytes()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_platform_may_name_arm64s_only_variant() {
        let platform = |text: &str| {
            let mut parts = text.split('/').map(str::to_owned);
            OciPlatform {
                os: parts.next().unwrap(),
                architecture: parts.next().unwrap(),
                variant: parts.next(),
            }
        };
        assert!(platform("linux/arm64").is(Platform::LinuxArm64));
        assert!(platform("linux/arm64/v8").is(Platform::LinuxArm64));
        assert!(!platform("linux/arm64/v9").is(Platform::LinuxArm64));
        assert!(!platform("linux/amd64").is(Platform::LinuxArm64));
        assert_eq!(platform("linux/arm64/v8").to_string(), "linux/arm64/v8");
    }

    #[test]
    fn a_configuration_may_leave_out_what_it_has_none_of() {
        let config: Config = serde_json::from_str(
            r#"{"architecture":"amd64","config":{"Env":null,"Labels":null,"Cmd":null},"rootfs":{}}"#,
        )
        .unwrap();
        assert_eq!(config.config.env("PATH"), None);
        let text = r#"{"config":{"Env":["PATH=/bin","PATHS=x"],"Healthcheck":{"Test":["NONE"]}}}"#;
        let config: Config = serde_json::from_str(text).unwrap();
        assert_eq!(config.config.env("PATH"), Some("/bin"));
        assert_eq!(config.config.healthcheck.unwrap().test, ["NONE"]);
    }
}
