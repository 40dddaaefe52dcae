//! `testbed status` and `testbed env`: what runs, and how to reach it.

use std::{collections::BTreeMap, io::Write as _};

use anyhow::{Context as _, Result, bail};
use serde::Serialize;

use crate::{
    binfmt,
    engine::Engine,
    exec::single_quote,
    layout::Layout,
    registry::{self, Registry},
    state::State,
    tools::Tools,
};

/// The state of a test bed. `schema` grows when a field changes its meaning or goes.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    schema: u32,
    /// Whether the engine and the registry both answer.
    pub(crate) running: bool,
    state_dir: String,
    engine: Option<EngineStatus>,
    registry: Option<RegistryStatus>,
    platforms: Vec<&'static str>,
    /// The images in the registry that stand in for Docker Hub's.
    bases: Vec<String>,
    /// The variables to export for work on the test bed; empty when it does not run.
    env: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct EngineStatus {
    host: String,
    pid: i32,
    version: String,
}

#[derive(Debug, Serialize)]
struct RegistryStatus {
    address: String,
    pid: i32,
}

/// Reads the state of the test bed; changes nothing and needs no lock.
pub(crate) fn observe(layout: &Layout) -> Result<Status> {
    let tools = Tools::new(layout);
    let engine = Engine::new(layout, &tools);
    let engine_status = observe_engine(&engine, layout)?;
    let port = State::load(layout)?.port;
    let registry_status = observe_registry(&Registry::new(layout, &tools), port)?;
    let running = engine_status.is_some() && registry_status.is_some();
    let mut env = BTreeMap::new();
    if let (true, Some(registry)) = (running, &registry_status) {
        env = engine.env();
        env.insert("TESTBED_REGISTRY".to_owned(), registry.address.clone());
    }
    let mut platforms = Vec::new();
    if engine_status.is_some() {
        platforms.push("linux/amd64");
        platforms.extend(binfmt::handler()?.map(|_| "linux/arm64"));
    }
    Ok(Status {
        schema: 1,
        running,
        state_dir: layout.state.display().to_string(),
        bases: match (&registry_status, port) {
            (Some(_), Some(port)) => registry::stand_ins(port)?,
            _ => Vec::new(),
        },
        engine: engine_status,
        registry: registry_status,
        platforms,
        env,
    })
}

fn observe_engine(engine: &Engine, layout: &Layout) -> Result<Option<EngineStatus>> {
    let Some(process) = engine.process()? else {
        return Ok(None);
    };
    match engine.version() {
        Ok(version) => Ok(Some(EngineStatus {
            host: layout.docker_host(),
            pid: process.pid,
            version,
        })),
        Err(silence) => {
            eprintln!(
                "the engine runs (pid {}) but does not answer: {silence:#}",
                process.pid
            );
            Ok(None)
        }
    }
}

fn observe_registry(registry: &Registry, port: Option<u16>) -> Result<Option<RegistryStatus>> {
    Ok(match (registry.process()?, port) {
        (Some(process), Some(port)) if registry::answers(port).is_ok() => Some(RegistryStatus {
            address: format!("127.0.0.1:{port}"),
            pid: process.pid,
        }),
        _ => None,
    })
}

impl Status {
    /// The status as a table on stdout, or as data.
    pub(crate) fn print(&self, json: bool) -> Result<()> {
        let text = if json {
            serde_json::to_string_pretty(self)?
        } else {
            self.table()
        };
        writeln!(std::io::stdout(), "{text}").context("failed to write to stdout")
    }

    fn table(&self) -> String {
        let engine = self
            .engine
            .as_ref()
            .map(|it| format!("{}, pid {}, {}", it.version, it.pid, it.host));
        let registry = self
            .registry
            .as_ref()
            .map(|it| format!("{}, pid {}", it.address, it.pid));
        let down = || "not running".to_owned();
        let list = |items: String| {
            if items.is_empty() {
                "none".to_owned()
            } else {
                items
            }
        };
        [
            ("engine", engine.unwrap_or_else(down)),
            ("registry", registry.unwrap_or_else(down)),
            ("platforms", list(self.platforms.join(", "))),
            ("bases", list(self.bases.join(", "))),
            ("state", self.state_dir.clone()),
        ]
        .map(|(name, value)| format!("{name:<10} {value}"))
        .join("\n")
    }

    /// Shell code that points the commands after it at the test bed.
    pub(crate) fn exports(&self) -> Result<String> {
        if !self.running {
            bail!("the test bed is not running\nhint: `cargo xtask testbed up`");
        }
        let lines = self
            .env
            .iter()
            .map(|(key, value)| format!("export {key}={}\n", single_quote(value)));
        Ok(lines.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(running: bool) -> Status {
        Status {
            schema: 1,
            running,
            state_dir: "/s".to_owned(),
            engine: running.then(|| EngineStatus {
                host: "unix:///r/docker.sock".to_owned(),
                pid: 7,
                version: "28".to_owned(),
            }),
            registry: running.then(|| RegistryStatus {
                address: "127.0.0.1:5".to_owned(),
                pid: 8,
            }),
            platforms: if running {
                vec!["linux/amd64", "linux/arm64"]
            } else {
                vec![]
            },
            bases: if running {
                vec!["node:20-alpine".to_owned()]
            } else {
                vec![]
            },
            env: BTreeMap::from([("PATH".to_owned(), "/it's/bin:/usr bin".to_owned())]),
        }
    }

    #[test]
    fn the_data_has_its_documented_shape() {
        let json = serde_json::to_value(status(true)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "schema": 1,
                "running": true,
                "state_dir": "/s",
                "engine": { "host": "unix:///r/docker.sock", "pid": 7, "version": "28" },
                "registry": { "address": "127.0.0.1:5", "pid": 8 },
                "platforms": ["linux/amd64", "linux/arm64"],
                "bases": ["node:20-alpine"],
                "env": { "PATH": "/it's/bin:/usr bin" },
            })
        );
        let down = serde_json::to_value(status(false)).unwrap();
        assert!(down["engine"].is_null() && down["registry"].is_null());
    }

    #[test]
    fn the_table_says_what_runs() {
        let expected = "engine     28, pid 7, unix:///r/docker.sock\nregistry   127.0.0.1:5, pid 8\n\
                        platforms  linux/amd64, linux/arm64\nbases      node:20-alpine\nstate      /s";
        assert_eq!(status(true).table(), expected);
        assert!(
            status(false)
                .table()
                .starts_with("engine     not running\nregistry   not running\nplatforms  none")
        );
    }

    #[test]
    fn a_shell_reads_the_exports_back() {
        let script = status(true).exports().unwrap() + "printf %s \"$PATH\"";
        assert_eq!(
            crate::exec::Cmd::new("/bin/sh")
                .args(["-c", &script])
                .read()
                .unwrap(),
            "/it's/bin:/usr bin"
        );
        let err = status(false).exports().unwrap_err().to_string();
        assert_eq!(
            err,
            "the test bed is not running\nhint: `cargo xtask testbed up`"
        );
    }
}
