//! The configuration of an image (image-spec 1.1, "Image Configuration", and Docker's `HEALTHCHECK`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::descriptor::Descriptor;
use super::json;
use super::platform::OciPlatform;
use super::shape::CONFIG;
use super::unclear::Unclear;

/// An image's configuration.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub variant: String,
    #[serde(default)]
    pub config: Process,
    #[serde(default, deserialize_with = "or_default")]
    pub rootfs: RootFs,
    #[serde(default, deserialize_with = "or_default")]
    pub history: Vec<Step>,
    /// When it was made, as RFC 3339 has it; null or absent where it does not say.
    #[serde(default)]
    pub created: serde_json::Value,
}

impl Config {
    /// Parses a configuration.
    ///
    /// Fails with [`Unclear`] for what is none, and for what programs may read in different ways.
    pub fn parse(bytes: &[u8]) -> Result<Config, Unclear> {
        let value = json::parse(bytes, &CONFIG)?;
        serde_json::from_value(value)
            .map_err(|why| Unclear::new(format!("it is not that of an image: {why}")))
    }

    /// The platform that the image says it is for.
    pub fn platform(&self) -> OciPlatform {
        OciPlatform {
            os: self.os.clone(),
            architecture: self.architecture.clone(),
            variant: Some(self.variant.clone()).filter(|variant| !variant.is_empty()),
        }
    }
}

impl Descriptor {
    /// Parses the configuration that this names.
    ///
    /// Fails as [`Config::parse`] does, and where it is not of the size that this says.
    pub fn config(&self, bytes: &[u8]) -> Result<Config, Unclear> {
        self.agrees(bytes, &self.media_type)?;
        Config::parse(bytes)
    }
}

/// What the layers are, unpacked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RootFs {
    /// The digest of each layer's archive, the lowest first, as written.
    #[serde(deserialize_with = "or_default")]
    pub diff_ids: Vec<String>,
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

    #[test]
    fn a_configuration_may_leave_out_what_it_has_none_of() {
        let config = Config::parse(
            br#"{"architecture":"amd64","config":{"Env":null,"Labels":null,"Cmd":null},"rootfs":{},
                "history":null}"#,
        )
        .unwrap();
        assert_eq!(config.config.env("PATH"), None);
        let text = r#"{"config":{"Env":["PATH=/bin","PATHS=x"],"Healthcheck":{"Test":["NONE"]}}}"#;
        let config = Config::parse(text.as_bytes()).unwrap();
        assert_eq!(config.config.env("PATH"), Some("/bin"));
        assert_eq!(config.config.healthcheck.unwrap().test, ["NONE"]);
    }

    #[test]
    fn a_configuration_that_two_programs_could_read_differently_is_refused() {
        for (text, expected) in [
            (
                r#"{"config":{"User":"a","user":"root"}}"#,
                "equals `User` but for case",
            ),
            (
                r#"{"config":{"Labels":{"a":"1","a":"2"}}}"#,
                "has `a` twice",
            ),
            (
                r#"{"architecture":"amd64","Architecture":"arm64"}"#,
                "but for case",
            ),
            ("[]", "is not an object"),
            (r#"{"config":["root"]}"#, "is not an object"),
            (r#"{"os":1}"#, "is not that of an image"),
        ] {
            let why = Config::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(why.contains(expected), "{text}: {why}");
        }
    }
}
