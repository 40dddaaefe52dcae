//! The engine, the image built once for all tests, and containers that end with their test.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::{Ran, command};

/// The checkout under test.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

pub(crate) fn xtask(args: &[&str]) -> Command {
    xtask_in(&root(), args)
}

/// `cargo xtask ARGS` of this checkout, in another workspace. As at a desk: CI's variables would say
/// which branch or pull request it is.
///
/// Not started by cargo, so it finds verify beside itself.
pub(crate) fn xtask_in(folder: &Path, args: &[&str]) -> Command {
    static VERIFY: OnceLock<()> = OnceLock::new();
    VERIFY.get_or_init(|| {
        let mut cargo = command(env!("CARGO"), &root());
        cargo.args(["build", "--locked", "--package", "verify"]);
        // As for every cargo that xtask starts: else ring is compiled anew.
        let names = std::env::vars().map(|(name, _)| name);
        for name in names.filter(|name| xtask::exec::is_of_package(name)) {
            cargo.env_remove(name);
        }
        Ran::of(&mut cargo).succeeded();
    });
    let mut command = command(env!("CARGO_BIN_EXE_xtask"), folder);
    command.args(args).env_remove("CARGO").env_remove("CI");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("GITHUB_")) {
        command.env_remove(name);
    }
    command
}

pub(crate) fn docker(args: &[&str]) -> Ran {
    Ran::of(command("docker", &root()).args(args))
}

pub(crate) fn git(args: &[&str]) -> String {
    Ran::of(command("git", &root()).args(args))
        .succeeded()
        .stdout
        .trim()
        .to_owned()
}

/// What `cargo xtask image --json` said of the image under test, built on first use.
pub(crate) fn built() -> &'static Value {
    static BUILT: OnceLock<Value> = OnceLock::new();
    BUILT.get_or_init(build)
}

/// Runs the build once more.
pub(crate) fn build() -> Value {
    let ran = Ran::of(&mut xtask(&["image", "--json", "--progress", "plain"])).succeeded();
    serde_json::from_str(&ran.stdout).unwrap()
}

/// The name of the image under test.
pub(crate) fn image() -> &'static str {
    built()["references"][0].as_str().unwrap()
}

/// The engine's own architecture, which the image under test is for.
pub(crate) fn arch() -> &'static str {
    built()["platforms"][0]["platform"]
        .as_str()
        .unwrap()
        .strip_prefix("linux/")
        .unwrap()
}

/// The platform that is not the engine's own.
pub(crate) fn other_platform() -> &'static str {
    match arch() {
        "amd64" => "linux/arm64",
        _ => "linux/amd64",
    }
}

/// A workspace that the agent may write to, as the server prepares one.
pub(crate) fn workspace() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// What `docker image inspect` says of an image.
pub(crate) fn inspect(image: &str) -> Value {
    let ran = docker(&["image", "inspect", image]).succeeded();
    serde_json::from_str::<Value>(&ran.stdout).unwrap()[0].take()
}

/// The version of Claude Code that the lock of `arch` pins.
pub(crate) fn pinned_claude(arch: &str) -> String {
    let path = root().join(format!("docker/claude/{arch}/package-lock.json"));
    let lock: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let packages = lock["packages"].as_object().unwrap();
    let (_, package) = packages
        .iter()
        .find(|(name, _)| name.contains("claude-code-linux"))
        .unwrap();
    package["version"].as_str().unwrap().to_owned()
}

/// What both ways of the contract have in common, but for name, workspace and command.
const COMMON: [&str; 27] = [
    "--user",
    "agentgate",
    "--workdir",
    "/workspace",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
    "--pids-limit",
    "256",
    "--cpus",
    "2",
    "--tmpfs",
    "/tmp:rw,noexec,nosuid,size=512m",
    "-e",
    "NODE_ENV=production",
    "-e",
    "HOME=/home/agentgate",
    "-e",
    "USER=agentgate",
    "-e",
    "WORKSPACE=/workspace",
    "-e",
    "NO_COLOR=1",
    "-e",
    "FORCE_COLOR=0",
    "--stop-timeout=5",
];
const FIRST_WAY: [&str; 7] = [
    "--network",
    "none",
    "--read-only",
    "--memory",
    "2g",
    "--tmpfs",
    "/home/agentgate:rw,noexec,nosuid,size=256m",
];
const SECOND_WAY: [&str; 4] = ["--network", "bridge", "--memory", "4g"];

/// How AgentGate's server starts the image (the contract), but for name, workspace and command.
pub(crate) const HARDENED: [&str; COMMON.len() + FIRST_WAY.len()] = {
    let mut options = [""; COMMON.len() + FIRST_WAY.len()];
    let (common, own) = options.split_at_mut(COMMON.len());
    common.copy_from_slice(&COMMON);
    own.copy_from_slice(&FIRST_WAY);
    options
};

/// A running container, removed when the test ends, however it ends.
pub(crate) struct Container {
    name: String,
}

impl Container {
    /// `docker run -d` with `options`, and `command` after the image's name.
    pub(crate) fn start(options: &[&str], command: &[&str]) -> Container {
        let name = unique_name();
        let mut args = vec!["run", "--detach", "--name", &name];
        args.extend(options);
        args.push(image());
        args.extend(command);
        let ran = docker(&args);
        let container = Container { name };
        ran.succeeded();
        container
    }

    /// Started exactly as AgentGate does it, with `workspace` from the host.
    pub(crate) fn start_hardened(workspace: &Path) -> Container {
        let bind = format!("{}:/workspace:rw", workspace.display());
        let options: Vec<&str> = HARDENED.into_iter().chain(["-v", &bind]).collect();
        Container::start(&options, &["sleep", "infinity"])
    }

    /// The contract's second way: the host's `claude` and `~/.claude` are mounted into HOME, where no
    /// tmpfs is, the root file system is writable, and there is a network.
    pub(crate) fn start_mounted(workspace: &Path, claude: &Path, settings: &Path) -> Container {
        let bind = |from: &Path, to: &str, how: &str| format!("{}:{to}:{how}", from.display());
        let binds = [
            bind(workspace, "/workspace", "rw"),
            bind(claude, "/home/agentgate/.local/bin/claude", "ro"),
            bind(settings, "/home/agentgate/.claude", "rw"),
        ];
        let mut options: Vec<&str> = COMMON.into_iter().chain(SECOND_WAY).collect();
        options.extend(binds.iter().flat_map(|bind| ["-v", bind]));
        Container::start(&options, &["sleep", "infinity"])
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn exec(&self, command: &[&str]) -> Ran {
        let args: Vec<&str> = ["exec", &self.name]
            .into_iter()
            .chain(command.iter().copied())
            .collect();
        docker(&args)
    }

    pub(crate) fn docker(&self, args: &[&str]) -> Ran {
        let args: Vec<&str> = args.iter().copied().chain([self.name.as_str()]).collect();
        docker(&args)
    }

    pub(crate) fn state(&self, field: &str) -> String {
        let format = format!("{{{{.State.{field}}}}}");
        self.docker(&["inspect", "--format", &format])
            .succeeded()
            .stdout
            .trim()
            .to_owned()
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        self.docker(&["rm", "--force", "--volumes"]);
    }
}

/// Does `work` for each item, for so many at a time; what all of them return.
pub(crate) fn some_at_a_time<'a, T: Sync, R: IntoIterator<Item: Send>>(
    at_a_time: usize,
    items: &'a [T],
    work: impl Fn(&'a T) -> R + Sync,
) -> Vec<R::Item> {
    let next = Mutex::new(items.iter());
    let found = Mutex::new(Vec::new());
    let take = || next.lock().unwrap().next();
    thread::scope(|scope| {
        for _ in 0..at_a_time {
            scope.spawn(|| {
                while let Some(item) = take() {
                    let more = work(item);
                    found.lock().unwrap().extend(more);
                }
            });
        }
    });
    found.into_inner().unwrap()
}

/// PATH without the folders that have `program`.
pub(crate) fn path_without(program: &str) -> OsString {
    let path = std::env::var_os("PATH").unwrap();
    let folders = std::env::split_paths(&path);
    let others: Vec<PathBuf> = folders
        .filter(|folder| !folder.join(program).exists())
        .collect();
    std::env::join_paths(others).unwrap()
}

/// Puts a folder before all others of PATH.
pub(crate) fn before(folder: &Path, command: &mut Command) {
    let of_command = command.get_envs().find(|(name, _)| *name == "PATH");
    let path = of_command.and_then(|(_, path)| path.map(OsString::from));
    let path = path.or_else(|| std::env::var_os("PATH")).unwrap();
    let folders = [folder.to_owned()].into_iter();
    let folders = folders.chain(std::env::split_paths(&path));
    command.env("PATH", std::env::join_paths(folders).unwrap());
}

/// A container name that no other test, run or checkout uses.
pub(crate) fn unique_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!(
        "agentgate-e2e-{}-{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    )
}

/// The image that ours is built on, which the engine has since.
pub(crate) fn base() -> String {
    let labels = &inspect(image())["Config"]["Labels"];
    let base = labels["org.opencontainers.image.base.name"]
        .as_str()
        .unwrap();
    docker(&["pull", "--quiet", base]).succeeded();
    base.to_owned()
}

/// The test bed's registry, or else one in a container of the engine that is here.
pub(crate) struct Registry {
    pub(crate) address: String,
    container: Option<String>,
}

impl Registry {
    /// One that somebody else starts and ends.
    pub(crate) fn at(address: String) -> Registry {
        Registry {
            address,
            container: None,
        }
    }

    pub(crate) fn start() -> Registry {
        if let Ok(address) = std::env::var("TESTBED_REGISTRY") {
            return Registry {
                address,
                container: None,
            };
        }
        let name = unique_name();
        let deletes = "REGISTRY_STORAGE_DELETE_ENABLED=true";
        let run = [
            "run",
            "--detach",
            "--name",
            &name,
            "--env",
            deletes,
            "--publish",
        ];
        docker(&[&run[..], &["127.0.0.1::5000", "registry:2"]].concat()).succeeded();
        let port = docker(&["port", &name, "5000"]).succeeded().stdout;
        Registry {
            address: port.lines().next().unwrap().to_owned(),
            container: Some(name),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        if let Some(name) = &self.container {
            docker(&["rm", "--force", "--volumes", name]);
        }
    }
}
