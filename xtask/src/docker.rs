//! The docker on this machine: what it is and can do, as plain data, and what it says of an image. No
//! other file starts it.

pub mod api;
mod builder;
mod run;
mod save;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};

pub use self::builder::Builder;
use self::run::read;
pub(crate) use self::run::watch_tied;
pub use self::run::{
    clean_up, echo, is_installed, output, quoted, typed, watch, watch_stdout, within,
};
pub use self::save::{read_archive, save};
use crate::exec::Exec;
use crate::platform::Platform;

/// How long [`builder`] waits; it takes a tenth of a second.
const INSPECT: Duration = Duration::from_secs(10);

/// The version of a buildx that may be there: the client said nothing.
const UNKNOWN: &str = "unknown";

/// How long [`wake`] waits: BuildKit's image may have to be pulled first.
const WAKE: Duration = Duration::from_mins(10);

/// The client, its buildx and the engine behind them. A field is none when that part is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Docker {
    /// Where the `docker` client is.
    pub(crate) client: Option<String>,
    pub engine: Option<Engine>,
    /// Why the engine does not answer, in the client's words.
    pub(crate) engine_error: Option<String>,
    /// The buildx plugin's version.
    pub buildx: Option<String>,
    pub(crate) builder: Option<Builder>,
    /// Why the builder cannot be used, in buildx's words.
    pub(crate) builder_error: Option<String>,
}

/// A Docker daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Engine {
    pub version: String,
    /// The platform it runs natively; none for one that no agent image exists for.
    pub platform: Option<Platform>,
    pub(crate) store: Store,
    /// The folder of its state, on the machine that it runs on; none where it does not say.
    #[serde(skip)]
    pub root: Option<PathBuf>,
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

impl Docker {
    /// True for the engine's own builder on the classic store.
    pub(crate) fn builds_in_classic_store(&self) -> bool {
        let engine = self.engine.as_ref();
        let builder = self.builder.as_ref();
        engine.is_some_and(|engine| engine.store == Store::Classic)
            && builder.is_some_and(Builder::is_engine)
    }
}

/// Looks at the docker that `exec` finds, but at no builder.
pub fn observe_engine(exec: &Exec) -> anyhow::Result<Docker> {
    let Some(client) = exec.find("docker") else {
        return Ok(Docker::default());
    };
    let info = output(exec, &["info", "--format", "{{json .}}"])?;
    crate::exec::check()?;
    let mut docker = parse_info(
        &String::from_utf8_lossy(&info.stdout),
        &String::from_utf8_lossy(&info.stderr),
    )?;
    docker.client = Some(client.display().to_string());
    Ok(docker)
}

/// The same with its builder; `builder` names another than the current one.
pub(crate) fn observe(exec: &Exec, builder: Option<&str>) -> anyhow::Result<Docker> {
    let mut docker = observe_engine(exec)?;
    // Builders other than the engine's own need no engine. A client that said nothing would fail again.
    if docker
        .buildx
        .as_deref()
        .is_some_and(|version| version != UNKNOWN)
    {
        let store = docker.engine.as_ref().map(|engine| engine.store);
        let output = output(exec, &inspect(builder))?;
        // A Ctrl-C reaches buildx as well, which then says that the nodes cannot be reached.
        crate::exec::check()?;
        if output.status.success() {
            let said = String::from_utf8_lossy(&output.stdout);
            docker.builder = builder::parse(&said)
                .filter(|builder| store.is_some() || builder.needs_no_engine());
        } else if store.is_some() || builder.is_some() {
            let said = String::from_utf8_lossy(&output.stderr);
            docker.builder_error = Some(said.trim().trim_start_matches("ERROR: ").to_owned());
        }
    }
    Ok(docker)
}

fn inspect(builder: Option<&str>) -> Vec<&str> {
    ["buildx", "inspect"].into_iter().chain(builder).collect()
}

/// A builder as it is now, `name` or the current one; none when buildx does not describe it.
///
/// Fails when buildx cannot be started, and after a signal of ours.
pub(crate) fn builder(exec: &Exec, name: Option<&str>) -> anyhow::Result<Option<Builder>> {
    let ended = within(exec, &inspect(name), INSPECT)?;
    let said = String::from_utf8_lossy(&ended.stdout);
    Ok(ended.success().then(|| builder::parse(&said)).flatten())
}

/// Starts the nodes of a builder.
pub(crate) fn wake(exec: &Exec, builder: &Builder) -> anyhow::Result<()> {
    let name = &builder.name;
    let start = ["buildx", "inspect", "--bootstrap", name];
    let ended = within(exec, &start, WAKE)?;
    if ended.success() {
        return Ok(());
    }
    // Its progress comes first.
    let said = String::from_utf8_lossy(&ended.stderr);
    let why = match (ended.status, said.trim().lines().next_back()) {
        (None, _) => format!("it took more than {} s", WAKE.as_secs()),
        (_, why) => why.unwrap_or("no reason given").replace("ERROR: ", ""),
    };
    let remedy = if builder.is_kubernetes() {
        format!(
            "`kubectl describe pods` says why of the pods in the namespace that `docker buildx \
             inspect {name}` names"
        )
    } else {
        format!("`docker buildx rm {name}` and make it anew")
    };
    bail!(
        "the builder `{name}` does not start: {why}\n  hint: {remedy}, or choose another with \
         `--builder NAME`"
    )
}

/// Whether the container of a builder on this engine has died within the last `time`. Docker starts
/// one again that was not stopped by hand. An engine that does not say knows of none.
pub(crate) fn has_died(exec: &Exec, builder: &Builder, time: Duration) -> bool {
    if builder.driver != "docker-container" {
        return false;
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // Whole seconds, as in `--until 0s`, would leave out what has just happened.
    let at = |time: Duration| format!("{}.{:09}", time.as_secs(), time.subsec_nanos());
    let (since, until) = (at(now.saturating_sub(time)), at(now));
    let mut events = vec!["events", "--since", &since, "--until", &until];
    events.extend(["--filter", "event=die"]);
    events.extend(["--format", "{{.Actor.Attributes.name}}"]);
    output(exec, &events).is_ok_and(|died| {
        let died = String::from_utf8_lossy(&died.stdout);
        died.lines().any(|name| builder.has_container(name))
    })
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
    docker_root_dir: Option<PathBuf>,
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
            buildx: Some(UNKNOWN.to_owned()),
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
        .find(|plugin| plugin.name == "buildx" && plugin.err.is_none());
    let buildx = buildx.map(|buildx| buildx.version);
    let engine = (!info.server_version.is_empty()).then(|| Engine {
        version: info.server_version,
        platform: Platform::of_machine(&info.os_type, &info.architecture),
        store: store(info.driver_status.as_deref().unwrap_or_default()),
        root: info.docker_root_dir,
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
    if platform.is_some() && !output(exec, &args)?.status.success() {
        return Ok(None);
    }
    let text = read(exec, &args)?;
    let size = text.trim().parse();
    size.map(Some)
        .with_context(|| format!("docker gives `{reference}` the size `{}`", text.trim()))
}

/// The platform of an image in the engine's store.
///
/// Fails when the engine has no such image, and when no agent image exists for its platform.
pub(crate) fn image_platform(exec: &Exec, reference: &str) -> anyhow::Result<Platform> {
    let format = "{{.Os}} {{.Architecture}}";
    let said = read(exec, &["image", "inspect", "--format", format, reference])?;
    let platform = said.trim().split_once(' ');
    platform
        .and_then(|(os, arch)| Platform::of_machine(os, arch))
        .with_context(|| format!("docker gives `{reference}` the platform `{}`", said.trim()))
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
}
