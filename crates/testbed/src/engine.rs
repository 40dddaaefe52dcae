//! The private Docker Engine: its configuration, its start and end, and the variables that lead to it.

use std::{
    collections::BTreeMap,
    env,
    ffi::OsStr,
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::json;

use crate::{
    cgroup,
    daemon::Daemon,
    exec::{self, Cmd},
    http,
    layout::{Layout, make_dir, remove_dir, rename, write},
    mounts,
    net::{self, Block},
    process::{self, Process},
    tools::Tools,
};

/// The engine and what it starts, as far as their command lines name its folder.
const PROGRAMS: [&str; 3] = ["dockerd", "containerd", "containerd-shim-runc-v2"];

/// The control group that buildx has for its builders' containers, on every engine.
const BUILDERS: &str = "docker/buildx";

/// How long the engine may take to answer after its start, on a busy machine with much data.
const START_LIMIT: Duration = Duration::from_secs(90);

/// How long it may take to end. Of these seconds it gives its containers `CONTAINER_STOP_SECONDS`.
const STOP_LIMIT: Duration = Duration::from_secs(30);
const CONTAINER_STOP_SECONDS: u64 = 5;

/// The engine of one test bed.
#[derive(Debug, Clone)]
pub(crate) struct Engine {
    layout: Layout,
    tools: Tools,
}

impl Engine {
    pub(crate) fn new(layout: &Layout, tools: &Tools) -> Self {
        Self {
            layout: layout.clone(),
            tools: tools.clone(),
        }
    }

    /// A docker command on this engine.
    pub(crate) fn docker(&self) -> Cmd {
        self.program("docker")
    }

    /// A crane command with this engine's credentials.
    pub(crate) fn crane(&self) -> Cmd {
        self.program("crane")
    }

    fn program(&self, name: &str) -> Cmd {
        let program = Cmd::new(self.tools.bin().join(name));
        let env = self.env();
        env.iter()
            .fold(program, |cmd, (key, value)| cmd.env(key, value))
    }

    /// The variables that lead docker, compose, buildx and crane to this test bed.
    pub(crate) fn env(&self) -> BTreeMap<String, String> {
        let entry = |key: &str, value: String| (key.to_owned(), value);
        BTreeMap::from([
            entry("DOCKER_HOST", self.layout.docker_host()),
            entry(
                "DOCKER_CONFIG",
                self.layout.docker_config().display().to_string(),
            ),
            entry(
                "PATH",
                self.before(&env::var_os("PATH").unwrap_or_default()),
            ),
        ])
    }

    /// `path` with the test bed's programs first, before another docker of the machine.
    fn before(&self, path: &OsStr) -> String {
        let bin = self.tools.bin();
        let rest = env::split_paths(path).filter(|dir| *dir != bin);
        let dirs = [bin.clone()].into_iter().chain(rest);
        dirs.map(|dir| dir.display().to_string())
            .collect::<Vec<_>>()
            .join(":")
    }

    /// The engine's version, when it answers.
    pub(crate) fn version(&self) -> Result<String> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(rename = "Version")]
            version: String,
        }
        let body = http::get_unix(&self.layout.socket(), "/version")?;
        let answer: Answer =
            serde_json::from_str(&body).context("the engine's version is not what is expected")?;
        Ok(answer.version)
    }

    /// The engine's process, when it runs.
    pub(crate) fn process(&self) -> Result<Option<Process>> {
        Ok(process::running(&["dockerd"], &self.layout.state)?
            .into_iter()
            .next())
    }

    /// Makes sure that the engine runs, with this configuration and these programs, and answers.
    pub(crate) fn ensure(&self, block: Block, port: u16) -> Result<String> {
        self.write_client_config()?;
        let config = self.config(block, port);
        let file = self.config_file();
        let as_wanted = |process: &Process| {
            Path::new(&process.argv[0]).starts_with(self.tools.bin())
                && fs::read_to_string(&file).is_ok_and(|text| text == config)
        };
        let running = self.process()?;
        if !(running.as_ref().is_some_and(as_wanted) && self.version().is_ok()) {
            // It is stopped first, so that the file is always the configuration of the engine that runs.
            self.stop()?;
            make_dir(&self.layout.run)?;
            write(&file, &config)?;
            self.start()?;
        }
        Ok(format!(
            "{} at {}",
            self.version()?,
            self.layout.docker_host()
        ))
    }

    fn start(&self) -> Result<()> {
        let daemon = Daemon {
            command: Cmd::new(self.tools.bin().join("dockerd"))
                .arg("--config-file")
                .arg(self.config_file())
                .env("PATH", self.before(&exec::path()))
                // A killed engine leaves its short-lived mounts behind; `stop` finds those below this folder.
                .env("XDG_RUNTIME_DIR", &self.layout.run),
            log: self.layout.state.join("dockerd.log"),
            limit: START_LIMIT,
        };
        daemon.start(|| self.version().map(drop))
    }

    /// Ends the engine with everything it started, and removes the mounts and files that it leaves behind.
    pub(crate) fn stop(&self) -> Result<()> {
        if let Some(engine) = self.process()? {
            engine.end(STOP_LIMIT)?;
        }
        // A killed engine leaves its runtime behind, which would start further processes.
        for process in process::running(&PROGRAMS, &self.layout.run)? {
            process.end(Duration::ZERO)?;
        }
        cgroup::end(&self.cgroup())?;
        for container in self.containers()? {
            cgroup::end(&format!("{BUILDERS}/{container}"))?;
        }
        mounts::unmount_below(&self.layout.run)?;
        mounts::unmount_below(&self.data())?;
        remove_dir(&self.layout.run)
    }

    /// The containers that the engine knows, running or not.
    fn containers(&self) -> Result<Vec<String>> {
        let dir = self.data().join("containers");
        if !dir.exists() {
            return Ok(Vec::new());
        }
        let listed = || format!("failed to list `{}`", dir.display());
        let entries = fs::read_dir(&dir).with_context(listed)?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect::<Result<_>>().with_context(listed)
    }

    fn cgroup(&self) -> String {
        format!("agentgate-testbed-{}", self.layout.id)
    }

    /// Images, volumes and networks.
    fn data(&self) -> PathBuf {
        self.layout.state.join("docker")
    }

    fn config_file(&self) -> PathBuf {
        self.layout.state.join("daemon.json")
    }

    fn config(&self, block: Block, port: u16) -> String {
        let run = &self.layout.run;
        let mtu = net::uplink_mtu();
        let config = json!({
            "data-root": self.data(),
            "exec-root": run.join("exec"),
            "pidfile": run.join("docker.pid"),
            "hosts": [self.layout.docker_host()],
            "features": { "containerd-snapshotter": true },
            "registry-mirrors": [format!("http://127.0.0.1:{port}")],
            "insecure-registries": [format!("127.0.0.1:{port}")],
            "bridge": net::bridge(&self.layout),
            "mtu": mtu,
            "default-network-opts": { "bridge": { "com.docker.network.driver.mtu": mtu.to_string() } },
            "default-address-pools": [{ "base": block.pool(), "size": 24 }],
            "iptables": false,
            "ip6tables": false,
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "cgroup-parent": format!("/{}", self.cgroup()),
            "shutdown-timeout": CONTAINER_STOP_SECONDS,
        });
        format!("{config:#}\n")
    }

    /// The Docker client finds its plugins by a link in its configuration's folder.
    fn write_client_config(&self) -> Result<()> {
        let dir = self.layout.docker_config();
        make_dir(&dir)?;
        let link = dir.join("cli-plugins");
        let target = self.tools.plugins();
        if fs::read_link(&link).is_ok_and(|now| now == target) {
            return Ok(());
        }
        let new = dir.join("cli-plugins.new");
        if new.is_symlink() {
            fs::remove_file(&new)
                .with_context(|| format!("failed to remove `{}`", new.display()))?;
        }
        symlink(&target, &new)
            .with_context(|| format!("failed to make the link `{}`", new.display()))?;
        rename(&new, &link)
    }
}
