//! A repository on a stand-in of GitHub: a bare repository, a runner (nektos/act) and a registry.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::gate::Gate;
use super::run::{Run, stand_ins};
use super::{signing, workflows};
use crate::common::{Ran, command};
use crate::push::Workspace;
use crate::world::{Registry, root, xtask};

/// By it a rollback knows which version `latest` is.
const VERSION: &str = "ARG IMAGE_VERSION\nLABEL org.opencontainers.image.version=$IMAGE_VERSION\n";

pub(super) struct Github {
    pub(super) workspace: Workspace,
    pub(super) gate: Gate,
    folder: TempDir,
    /// `OWNER/NAME`.
    pub(super) name: String,
}

impl Github {
    pub(super) fn new() -> Github {
        let registry = Registry::start();
        let gate = Gate::before(&registry.address);
        let workspace = Workspace::with(registry, Some(&gate.address));
        let name = workspace.repository();
        let (_, name) = name.split_once('/').unwrap();
        let name = name.to_owned();
        let folder = tempfile::tempdir().unwrap();
        let github = Github {
            workspace,
            gate,
            folder,
            name,
        };
        github.prepare();
        github
    }

    /// With this very checkout as its content, and so the real image.
    pub(super) fn real() -> Github {
        let github = Github::new();
        let from = root();
        let git = |args: &[&str]| github.workspace.git(args);
        git(&["fetch", "--quiet", from.to_str().unwrap(), "HEAD"]);
        git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
        github.write_workflows();
        github
    }

    fn prepare(&self) {
        // Compiles verify, which xtask starts.
        Ran::of(&mut xtask(&["verify", "--list"])).succeeded();
        let remote = self.remote();
        self.workspace
            .git(&["init", "--quiet", "--bare", remote.to_str().unwrap()]);
        symlink(
            stand_ins().join("pre-receive"),
            remote.join("hooks/pre-receive"),
        )
        .unwrap();
        let url = format!("https://github.com/{}", self.name);
        self.workspace.git(&["remote", "add", "origin", &url]);
        self.write_workflows();
        let bin = self.path("bin");
        fs::create_dir_all(&bin).unwrap();
        let stand_ins = stand_ins();
        for name in ["cargo", "gh"] {
            symlink(stand_ins.join(name), bin.join(name)).unwrap();
        }
        for name in ["rustup", "sudo"] {
            symlink(stand_ins.join("prepare"), bin.join(name)).unwrap();
        }
        // A job that needs it installs it.
        symlink(stand_ins.join("absent"), bin.join("cosign")).unwrap();
        fs::create_dir_all(self.path("home/.docker")).unwrap();
        // As the machine has them; a job that checks out gets a configuration of its own.
        if let Some(machine) = std::env::var_os("DOCKER_CONFIG") {
            let plugins = Path::new(&machine).join("cli-plugins");
            symlink(plugins, self.path("home/.docker/cli-plugins")).unwrap();
        }
    }

    /// Commits the workflows and whom the repository believes, and pushes main.
    fn write_workflows(&self) {
        // In CI a missing SBOM is an error, and no generator can be had here.
        let manifest = fs::read_to_string(self.workspace.path("Cargo.toml")).unwrap();
        let branch = "default-branch = \"main\"\n";
        assert!(manifest.contains(branch), "{manifest}");
        let more = format!("{branch}sbom-generator = \"off\"\n{}", signing::settings());
        let manifest = manifest.replace(branch, &more);
        self.workspace.write("Cargo.toml", &manifest);
        let public = fs::read_to_string(signing::key().with_extension("pub")).unwrap();
        self.workspace.write("cosign.pub", &public);
        let dockerfile = self.workspace.path("docker/Dockerfile.agent");
        let mut dockerfile = fs::read_to_string(dockerfile).unwrap();
        if !dockerfile.contains("IMAGE_VERSION") {
            dockerfile.push_str(VERSION);
            self.workspace.write("docker/Dockerfile.agent", &dockerfile);
        }
        for (name, text) in workflows::all() {
            // act does not know it; nothing else of a workflow differs here.
            let text = text.replace("  queue: max\n", "");
            self.workspace
                .write(&format!(".github/workflows/{name}"), &text);
        }
        self.workspace.commit("workflows");
        self.push("main");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a program on the PATH of every job.
    pub(super) fn program(&self, name: &str, script: &str) {
        let path = self.path("bin").join(name);
        fs::write(&path, script).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The pull requests and the statuses on GitHub.
    pub(super) fn kept(&self) -> Value {
        let text = fs::read_to_string(self.path("home/github.json")).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// What `gh` was asked to make, a line for each GitHub Release.
    pub(super) fn releases(&self) -> String {
        fs::read_to_string(self.path("home/releases")).unwrap_or_default()
    }

    /// At a desk, with a token that may write.
    pub(super) fn at_a_desk(&self, args: &[&str]) -> Ran {
        let config = self.workspace.path("target/desk");
        fs::create_dir_all(&config).unwrap();
        // `write:x`
        let auths = json!({"auths": {(&*self.gate.address): {"auth": "d3JpdGU6eA=="}}});
        fs::write(config.join("config.json"), auths.to_string()).unwrap();
        if let Ok(machine) = std::env::var("DOCKER_CONFIG") {
            let plugins = config.join("cli-plugins");
            if !plugins.exists() {
                symlink(Path::new(&machine).join("cli-plugins"), plugins).unwrap();
            }
        }
        let mut xtask = self.workspace.xtask(args);
        xtask.env("DOCKER_CONFIG", config);
        answer_for(&mut xtask, &[self]);
        Ran::of(&mut xtask)
    }

    /// What is on GitHub.
    pub(super) fn remote(&self) -> PathBuf {
        self.path("remote.git")
    }

    /// Pushes a branch or a tag to the remote.
    pub(super) fn push(&self, what: &str) {
        let remote = self.remote();
        self.workspace
            .git(&["push", "--quiet", "--force", remote.to_str().unwrap(), what]);
    }

    /// Commits a version on the current branch, and pushes its tag.
    pub(super) fn tag(&self, version: &str) -> String {
        let path = self.workspace.path("Cargo.toml");
        let text = fs::read_to_string(&path).unwrap();
        let (before, rest) = text.split_once("version = \"").unwrap();
        let (_, after) = rest.split_once('"').unwrap();
        self.workspace.write(
            "Cargo.toml",
            &format!("{before}version = \"{version}\"{after}"),
        );
        self.workspace.commit(version);
        let tag = format!("v{version}");
        self.workspace
            .git(&["tag", "--annotate", "--message", "x", &tag]);
        self.push(&tag);
        tag
    }

    pub(super) fn digest(&self, tag: &str) -> Option<String> {
        self.workspace.digest(tag)
    }

    /// The run that a push to a branch or a tag starts.
    pub(super) fn on_push<'a>(&'a self, workflow: &'a str, git_ref: &str) -> Run<'a> {
        let payload = json!({"ref": git_ref});
        self.run(workflow, "push", git_ref, payload)
    }

    /// The run that an event starts; the workflows are those of `git_ref`.
    pub(super) fn run<'a>(
        &'a self,
        workflow: &'a str,
        event: &'a str,
        git_ref: &str,
        mut payload: Value,
    ) -> Run<'a> {
        payload["repository"] = json!({
            "full_name": self.name,
            "default_branch": "main",
            "private": false,
        });
        let commit = format!("{git_ref}^{{commit}}");
        Run {
            github: self,
            folder: tempfile::tempdir_in(self.folder.path()).unwrap().keep(),
            workflow,
            event,
            commit: self.workspace.git(&["rev-parse", &commit]),
            payload,
            called: None,
            job: None,
            is_alone: false,
        }
    }

    /// The workflows that an event starts, by act's own reading of `on:`.
    pub(super) fn started_by(&self, event: &str) -> Vec<String> {
        let mut act = self.act(event, &self.workspace.path(""));
        let ran = Ran::of(act.args(["--list", "-W", ".github/workflows"])).succeeded();
        let words = ran.stdout.lines().skip(1).flat_map(str::split_whitespace);
        let all = workflows::all();
        let is_file = |word: &&str| all.iter().any(|(name, _)| name == word);
        let mut files: Vec<String> = words.filter(is_file).map(str::to_owned).collect();
        files.dedup();
        files
    }

    /// act without anything of this machine's environment that would be taken for GitHub's.
    pub(super) fn act(&self, event: &str, folder: &Path) -> Command {
        self.act_beside(&[], event, folder)
    }

    /// [`Github::act`] where other repositories are on GitHub as well.
    pub(super) fn act_beside(&self, others: &[&Github], event: &str, folder: &Path) -> Command {
        let program = root().join("target/xtask/tools/bin/act");
        assert!(
            program.is_file(),
            "act is missing; hint: `cargo xtask test --quick` installs it"
        );
        let path = std::env::var_os("PATH").unwrap();
        let folders = [self.path("bin")]
            .into_iter()
            .chain(std::env::split_paths(&path));
        let path = std::env::join_paths(folders).unwrap();
        let mut act = command(program, folder);
        act.env_clear()
            .env("PATH", path)
            .env("HOME", self.path("home"));
        answer_for(&mut act, &[&[self], others].concat());
        act.arg(event);
        // What a build needs behind a network that inspects TLS.
        for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
            if let Some(value) = std::env::var_os(name) {
                act.env(name, value);
            }
        }
        act
    }
}

/// Lets git find what is on GitHub in the repositories here, and nothing that is not here.
fn answer_for(command: &mut Command, repositories: &[&Github]) {
    let address = |github: &&Github| {
        let url = format!("https://github.com/{}", github.name);
        (github.remote().display().to_string(), url)
    };
    // The longest address that fits counts.
    let rest = ("/nowhere/".to_owned(), "https://github.com/".to_owned());
    let all = repositories.iter().map(address).chain([rest]);
    for (number, (path, url)) in all.enumerate() {
        let remote = format!("url.file://{path}.insteadOf");
        command
            .env(format!("GIT_CONFIG_KEY_{number}"), remote)
            .env(format!("GIT_CONFIG_VALUE_{number}"), url);
    }
    let count = repositories.len() + 1;
    command.env("GIT_CONFIG_COUNT", count.to_string());
}
