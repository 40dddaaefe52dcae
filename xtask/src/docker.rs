//! What the docker on this machine is and can do, as plain data; and what it says of an image.

use std::fmt;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

use crate::exec::Exec;
use crate::platform::Platform;

/// The client, its buildx and the engine behind them. A field is none when that part is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Docker {
    /// Where the `docker` client is.
    pub(crate) client: Option<String>,
    pub(crate) engine: Option<Engine>,
    /// Why the engine does not answer, in the client's words.
    pub(crate) engine_error: Option<String>,
    /// The buildx plugin's version.
    pub(crate) buildx: Option<String>,
    pub(crate) builder: Option<Builder>,
    /// Why the builder cannot be used, in buildx's words.
    pub(crate) builder_error: Option<String>,
}

/// A Docker daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Engine {
    pub(crate) version: String,
    /// The platform it runs natively; none for one that no agent image exists for.
    pub(crate) platform: Option<Platform>,
    pub(crate) store: Store,
}

/// Where the engine keeps images; only containerd's store holds several platforms of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Store {
    Containerd,
    Classic,
}

impl fmt::Display for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Store::Containerd => "containerd",
            Store::Classic => "classic",
        })
    }
}

/// A buildx builder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Builder {
    pub(crate) name: String,
    pub(crate) driver: String,
    /// Every platform its nodes build for, emulated ones included.
    pub(crate) platforms: Vec<String>,
    /// How many machines it builds on.
    pub(crate) nodes: usize,
}

/// Looks at the docker that `exec` finds; `builder` names another builder than the current one.
pub(crate) fn observe(exec: &Exec, builder: Option<&str>) -> anyhow::Result<Docker> {
    let Some(client) = exec.find("docker") else {
        return Ok(Docker::default());
    };
    let info = exec.output("docker", &["info", "--format", "{{json .}}"])?;
    let mut docker = parse_info(
        &String::from_utf8_lossy(&info.stdout),
        &String::from_utf8_lossy(&info.stderr),
    )?;
    docker.client = Some(client.display().to_string());
    if docker.buildx.is_some() && docker.engine.is_some() {
        let args: Vec<&str> = ["buildx", "inspect"].into_iter().chain(builder).collect();
        let output = exec.output("docker", &args)?;
        if output.status.success() {
            docker.builder = parse_builder(&String::from_utf8_lossy(&output.stdout));
        } else {
            let said = String::from_utf8_lossy(&output.stderr);
            docker.builder_error = Some(said.trim().trim_start_matches("ERROR: ").to_owned());
        }
    }
    Ok(docker)
}

/// The part of `docker info --format '{{json .}}'` that we read.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    #[serde(default)]
    server_version: String,
    #[serde(default, rename = "OSType")]
    os_type: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    driver_status: Option<Vec<(String, String)>>,
    #[serde(default)]
    server_errors: Option<Vec<String>>,
    #[serde(rename = "ClientInfo")]
    client: Option<Client>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Client {
    #[serde(default)]
    plugins: Option<Vec<Plugin>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Plugin {
    name: String,
    #[serde(default)]
    version: String,
    /// Set when the plugin is there but does not start.
    #[serde(default)]
    err: Option<String>,
}

/// A client that fails before it prints anything leaves its reason in `stderr`.
fn parse_info(stdout: &str, stderr: &str) -> anyhow::Result<Docker> {
    if stdout.trim().is_empty() {
        // Whether there is a buildx was not said either, so it is not accused of being absent.
        return Ok(Docker {
            engine_error: Some(first_line(stderr).to_owned()),
            buildx: Some("unknown".to_owned()),
            ..Docker::default()
        });
    }
    let info: Info = serde_json::from_str(stdout.trim()).with_context(|| {
        format!(
            "`docker info` printed something else than JSON: {}",
            first_line(stdout)
        )
    })?;
    let plugins = info
        .client
        .and_then(|client| client.plugins)
        .unwrap_or_default();
    let buildx = plugins
        .into_iter()
        .find(|plugin| plugin.name == "buildx" && plugin.err.is_none())
        .map(|plugin| plugin.version);
    let engine = (!info.server_version.is_empty()).then(|| Engine {
        version: info.server_version,
        platform: Platform::of_machine(&info.os_type, &info.architecture),
        store: store(info.driver_status.as_deref().unwrap_or_default()),
    });
    let engine_error = match &engine {
        Some(_) => None,
        None => Some(
            info.server_errors
                .and_then(|errors| errors.into_iter().next())
                .unwrap_or_else(|| first_line(stderr).to_owned()),
        ),
    };
    Ok(Docker {
        engine,
        engine_error,
        buildx,
        ..Docker::default()
    })
}

fn store(driver_status: &[(String, String)]) -> Store {
    let containerd = driver_status
        .iter()
        .any(|(key, value)| key == "driver-type" && value == "io.containerd.snapshotter.v1");
    if containerd {
        Store::Containerd
    } else {
        Store::Classic
    }
}

fn first_line(text: &str) -> &str {
    text.trim().lines().next().unwrap_or("no reason given")
}

/// Reads `docker buildx inspect`; none when it has no name or driver.
fn parse_builder(text: &str) -> Option<Builder> {
    let field = |name: &str| {
        text.lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map(str::trim)
    };
    let platforms = text
        .lines()
        .filter_map(|line| line.strip_prefix("Platforms:"))
        .flat_map(|list| list.split(','))
        // A star marks the platforms that the user forced on a node.
        .map(|platform| platform.trim().trim_end_matches('*').to_owned())
        .filter(|platform| !platform.is_empty())
        .collect();
    // The first name is the builder's own.
    let names = text.lines().filter(|line| line.starts_with("Name:"));
    Some(Builder {
        name: field("Name")?.to_owned(),
        driver: field("Driver")?.to_owned(),
        platforms,
        nodes: names.count().saturating_sub(1).max(1),
    })
}

/// Bytes that an image takes in the engine's store; none where the client (older than 28.1) cannot
/// be asked about one `platform` of several.
pub(crate) fn image_size(
    exec: &Exec,
    reference: &str,
    platform: Option<Platform>,
) -> anyhow::Result<Option<u64>> {
    let mut args = vec!["image", "inspect", "--format", "{{.Size}}"];
    if let Some(platform) = platform {
        args.extend(["--platform", platform.as_str()]);
    }
    args.push(reference);
    if platform.is_some() && !exec.output("docker", &args)?.status.success() {
        return Ok(None);
    }
    let text = exec.read("docker", &args)?;
    let size = text.trim().parse();
    size.map(Some)
        .with_context(|| format!("docker gives `{reference}` the size `{}`", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENGINE: &str = r#"{"ServerVersion":"28.5.2","OSType":"linux","Architecture":"x86_64",
        "DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]],
        "ClientInfo":{"Plugins":[{"Name":"compose","Version":"2.40.3"},{"Name":"buildx","Version":"0.29.1"}]}}"#;

    #[test]
    fn an_engine_with_containerds_store() {
        let docker = parse_info(ENGINE, "").unwrap();
        let engine = docker.engine.unwrap();
        assert_eq!(engine.platform, Some(Platform::LinuxAmd64));
        assert_eq!(engine.store, Store::Containerd);
        assert_eq!(docker.buildx.as_deref(), Some("0.29.1"));
        assert_eq!(docker.engine_error, None);
    }

    #[test]
    fn other_stores_are_classic() {
        for status in [
            r#"["Backing Filesystem","extfs"]"#,
            r#"["driver-type","x"]"#,
        ] {
            let text = ENGINE.replace(r#"["driver-type","io.containerd.snapshotter.v1"]"#, status);
            assert_eq!(
                parse_info(&text, "").unwrap().engine.unwrap().store,
                Store::Classic
            );
        }
        let text = ENGINE.replace(
            r#"[["driver-type","io.containerd.snapshotter.v1"]]"#,
            "null",
        );
        assert_eq!(
            parse_info(&text, "").unwrap().engine.unwrap().store,
            Store::Classic
        );
    }

    #[test]
    fn an_engine_that_does_not_answer_keeps_the_reason() {
        let text = r#"{"ServerErrors":["Cannot connect to the Docker daemon"],"ClientInfo":{"Plugins":null}}"#;
        let docker = parse_info(text, "").unwrap();
        assert_eq!(docker.engine, None);
        assert_eq!(
            docker.engine_error.as_deref(),
            Some("Cannot connect to the Docker daemon")
        );
        assert_eq!(docker.buildx, None);
        let docker = parse_info("", "permission denied\nmore").unwrap();
        assert_eq!(docker.engine_error.as_deref(), Some("permission denied"));
    }

    #[test]
    fn a_plugin_that_does_not_start_is_absent() {
        let text = ENGINE.replace(
            r#""Version":"0.29.1""#,
            r#""Version":"","Err":"exec format error""#,
        );
        assert_eq!(parse_info(&text, "").unwrap().buildx, None);
    }

    #[test]
    fn a_builder_with_two_nodes() {
        let text = "Name:          farm\nDriver:        docker-container\nLast Activity: now\n\nNodes:\n\
                    Name:      farm0\nPlatforms: linux/amd64*, linux/amd64/v2\n\
                    Name:      farm1\nPlatforms: linux/arm64\n";
        let builder = parse_builder(text).unwrap();
        assert_eq!(builder.name, "farm");
        assert_eq!(builder.driver, "docker-container");
        assert_eq!(
            builder.platforms,
            ["linux/amd64", "linux/amd64/v2", "linux/arm64"]
        );
        assert_eq!(builder.nodes, 2);
        assert_eq!(parse_builder("nothing here"), None);
    }
}
