//! The registry on loopback, which is also the engine's mirror of Docker Hub: a process that reads and writes, and one
//! of the same data that only reads, to which [`crate::net::writers`] leads those who may not write.

use std::{
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;

use crate::{
    daemon::Daemon,
    exec::Cmd,
    http,
    layout::{Layout, write},
    process::{self, Process},
    tools::Tools,
};

const START_LIMIT: Duration = Duration::from_secs(30);
const STOP_LIMIT: Duration = Duration::from_secs(10);

/// A process of one test bed's registry.
#[derive(Debug, Clone)]
pub(crate) struct Registry {
    layout: Layout,
    tools: Tools,
    read_only: bool,
}

impl Registry {
    pub(crate) fn new(layout: &Layout, tools: &Tools) -> Self {
        Self {
            layout: layout.clone(),
            tools: tools.clone(),
            read_only: false,
        }
    }

    /// The one that only reads.
    pub(crate) fn read_only(&self) -> Self {
        Self {
            read_only: true,
            ..self.clone()
        }
    }

    /// The process, when it runs.
    pub(crate) fn process(&self) -> Result<Option<Process>> {
        Ok(process::running(&["docker-registry"], &self.config_file())?
            .into_iter()
            .next())
    }

    /// Makes sure that it runs and answers. Returns its port: the one it had, unless another program has that now.
    /// `guard` is called with the port before the process takes connections.
    pub(crate) fn ensure(
        &self,
        kept: Option<u16>,
        guard: impl FnOnce(u16) -> Result<()>,
    ) -> Result<u16> {
        if let (Some(port), Some(process)) = (kept, self.process()?)
            && Path::new(&process.argv[0]).starts_with(self.tools.bin())
            && answers(port).is_ok()
        {
            guard(port)?;
            return Ok(port);
        }
        self.stop()?;
        let port = free_port(kept)?;
        guard(port)?;
        write(&self.config_file(), &self.config(port))?;
        let daemon = Daemon {
            command: Cmd::new(self.tools.bin().join("docker-registry"))
                .arg("serve")
                .arg(self.config_file()),
            log: self.file("log"),
            limit: START_LIMIT,
        };
        daemon.start(|| answers(port))?;
        Ok(port)
    }

    pub(crate) fn stop(&self) -> Result<()> {
        self.process()?
            .map_or(Ok(()), |process| process.end(STOP_LIMIT))
    }

    fn config_file(&self) -> PathBuf {
        self.file("yml")
    }

    fn file(&self, extension: &str) -> PathBuf {
        let name = if self.read_only {
            "registry-read-only"
        } else {
            "registry"
        };
        self.layout.state.join(name).with_extension(extension)
    }

    /// JSON is YAML.
    fn config(&self, port: u16) -> String {
        let mut config = json!({
            "version": 0.1,
            "log": { "level": "warn", "accesslog": { "disabled": true } },
            "storage": {
                "filesystem": { "rootdirectory": self.layout.state.join("registry") },
                "delete": { "enabled": true },
            },
            "http": { "addr": format!("127.0.0.1:{port}"), "secret": self.layout.id },
        });
        if self.read_only {
            config["storage"]["maintenance"] = json!({
                "readonly": { "enabled": true },
                // The other process removes uploads that were given up.
                "uploadpurging": { "enabled": false },
            });
        }
        format!("{config:#}\n")
    }
}

/// Whether a registry answers on `port`.
pub(crate) fn answers(port: u16) -> Result<()> {
    http::get_tcp(port, "/v2/").map(drop)
}

/// The images that stand in for Docker Hub's, as `name:tag`.
pub(crate) fn stand_ins(port: u16) -> Result<Vec<String>> {
    #[derive(Deserialize)]
    struct Catalog {
        repositories: Vec<String>,
    }
    #[derive(Deserialize)]
    struct Tags {
        tags: Option<Vec<String>>,
    }
    let catalog: Catalog = serde_json::from_str(&http::get_tcp(port, "/v2/_catalog?n=1000")?)?;
    let mut images = Vec::new();
    for repository in catalog.repositories {
        if let Some(name) = name_on_docker_hub(&repository) {
            let tags: Tags = serde_json::from_str(&http::get_tcp(
                port,
                &format!("/v2/{repository}/tags/list"),
            )?)?;
            images.extend(
                tags.tags
                    .unwrap_or_default()
                    .iter()
                    .map(|tag| format!("{name}:{tag}")),
            );
        }
    }
    images.sort();
    Ok(images)
}

/// Docker's name for a repository that stands in for one of Docker Hub; `None` for any other.
fn name_on_docker_hub(repository: &str) -> Option<&str> {
    let is_named_whole = repository.starts_with("moby/");
    let name = repository.strip_prefix("library/");
    name.or_else(|| is_named_whole.then_some(repository))
}

/// The port used so far when it is free, else any free one.
fn free_port(kept: Option<u16>) -> Result<u16> {
    let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    let listener = kept
        .and_then(|port| bind(port).ok())
        .map_or_else(|| bind(0), Ok);
    let listener = listener.context("failed to find a free port on loopback")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_images_as_docker_does() {
        assert_eq!(name_on_docker_hub("library/node"), Some("node"));
        assert_eq!(name_on_docker_hub("moby/buildkit"), Some("moby/buildkit"));
        assert_eq!(name_on_docker_hub("parts/node"), None);
    }

    #[test]
    fn keeps_its_port_unless_another_has_it() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = taken.local_addr().unwrap().port();
        assert_ne!(free_port(Some(port)).unwrap(), port);
        drop(taken);
        assert_eq!(free_port(Some(port)).unwrap(), port);
        assert_ne!(free_port(None).unwrap(), 0);
    }
}
