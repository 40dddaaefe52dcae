//! One run of a workflow by act.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use serde_json::{Value, json};

use super::github::Github;
use super::{rights, signing, workflows};
use crate::common::Ran;
use crate::world::root;

/// What a job's token would be on GitHub; nothing but a login may see it.
pub(super) const TOKEN: &str = "the-token-of-the-job";

/// What is the same for every run: each job runs on this machine, whatever architecture it asks for.
const ACT: [&str; 6] = [
    "--platform=ubuntu-latest=-self-hosted",
    "--platform=ubuntu-24.04-arm=-self-hosted",
    "--no-skip-checkout",
    "--action-offline-mode",
    "--cache-server-addr=127.0.0.1",
    "--artifact-server-addr=127.0.0.1",
];

/// Runs take turns with one that must be alone.
static TURNS: RwLock<()> = RwLock::new(());

/// A run, with the artifacts that it keeps when it is repeated.
pub(super) struct Run<'a> {
    pub(super) github: &'a Github,
    pub(super) folder: PathBuf,
    pub(super) workflow: &'a str,
    pub(super) event: &'a str,
    /// The commit that the workflows come from.
    pub(super) commit: String,
    /// The payload, as GitHub sends it.
    pub(super) payload: Value,
    /// Another repository and its commit, whose workflow the run calls.
    pub(super) called: Option<(&'a Github, String)>,
    /// The one job to run with those that it needs; every one without it.
    pub(super) job: Option<&'a str>,
    /// Whether no other run may take its time meanwhile.
    pub(super) is_alone: bool,
}

impl<'a> Run<'a> {
    pub(super) fn calls(self, github: &'a Github, commit: &str) -> Self {
        Run {
            called: Some((github, commit.to_owned())),
            ..self
        }
    }

    /// A folder of the run that no job sees.
    pub(super) fn kept(&self, name: &str) -> PathBuf {
        self.folder.join("kept").join(name)
    }

    /// What a stand-in has kept; empty when it was not used.
    pub(super) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.kept(name)).unwrap_or_default()
    }

    pub(super) fn only(self, job: &'a str) -> Self {
        Run {
            job: Some(job),
            ..self
        }
    }

    /// For the real image: some of verify's checks measure times.
    pub(super) fn alone(self) -> Self {
        Run {
            is_alone: true,
            ..self
        }
    }

    pub(super) fn input(mut self, name: &str, value: &str) -> Self {
        self.payload["inputs"][name] = json!(value);
        self
    }

    #[track_caller]
    pub(super) fn succeeds(&self) {
        succeeded(&self.start(&[]));
    }

    /// Repeats one job alone: the others have no effect, and their artifacts are those of before.
    #[track_caller]
    pub(super) fn again(&self, job: &str) {
        succeeded(&self.start(&[&format!("RERUN={job}")]));
    }

    /// Starts the run with more variables, and waits for its end.
    pub(super) fn start(&self, variables: &[&str]) -> Ran {
        self.prepare();
        let others: Vec<&Github> = self.called.iter().map(|(github, _)| *github).collect();
        let own = checkout(self.github, &self.commit, &self.folder.join("checkout"));
        let mut act = self.github.act_beside(&others, self.event, &own);
        act.args(ACT);
        let mut option = |name: &str, value: &str| {
            act.arg(format!("--{name}={value}"));
        };
        option("workflows", &format!(".github/workflows/{}", self.workflow));
        option("eventpath", &self.path("event.json"));
        option("cache-server-path", &self.path("cache"));
        option("action-cache-path", &self.path("act"));
        option("secret", &format!("GITHUB_TOKEN={TOKEN}"));
        option("var", &format!("REGISTRY={}", self.github.gate.address));
        if let Some(job) = self.job {
            option("job", job);
        }
        for [action, commit, _] in workflows::actions() {
            let folder = stand_ins().join(&action);
            let folder = format!("{action}@{commit}={}", folder.display());
            option("local-repository", &folder);
        }
        if let Some((github, commit)) = &self.called {
            let folder = checkout(github, commit, &self.folder.join("called"));
            let folder = format!("{}@{commit}={}", github.name, folder.display());
            option("local-repository", &folder);
        }
        for variable in self.variables() {
            option("env", &variable);
        }
        for variable in variables {
            option("env", variable);
        }
        let ran = if self.is_alone {
            let _alone = TURNS.write().unwrap_or_else(PoisonError::into_inner);
            Ran::of(&mut act)
        } else {
            let _beside = TURNS.read().unwrap_or_else(PoisonError::into_inner);
            Ran::of(&mut act)
        };
        keep_log(&ran);
        ran
    }

    /// Removes what an earlier attempt has left, but for its artifacts.
    fn prepare(&self) {
        fs::create_dir_all(self.kept("")).unwrap();
        for entry in fs::read_dir(self.kept("")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                fs::remove_file(path).unwrap();
            }
        }
        let permissions = json!(rights::packages()).to_string();
        fs::write(self.kept("permissions.json"), permissions).unwrap();
        let rights = json!(rights::all()).to_string();
        fs::write(self.kept("rights.json"), rights).unwrap();
        fs::write(self.folder.join("event.json"), self.payload.to_string()).unwrap();
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// What the stand-ins have to know.
    fn variables(&self) -> Vec<String> {
        let mut all = vec![
            format!("STAND_INS={}", stand_ins().display()),
            format!("STAND_INS_KEEP={}", self.kept("").display()),
            format!("STAND_INS_XTASK={}", env!("CARGO_BIN_EXE_xtask")),
            format!("STAND_INS_ENGINE={}", engine()),
            format!("STAND_INS_COSIGN={}", signing::cosign().display()),
            format!("COSIGN_PASSWORD={}", signing::PASSWORD),
        ];
        if let Ok(config) = std::env::var("DOCKER_CONFIG") {
            let plugins = Path::new(&config).join("cli-plugins");
            all.push(format!("STAND_INS_PLUGINS={}", plugins.display()));
        }
        all
    }
}

/// Where act reads the workflows and, whatever the event says, the commit of the run.
fn checkout(github: &Github, commit: &str, folder: &Path) -> PathBuf {
    if !folder.exists() {
        let at = folder.to_str().unwrap();
        let add = ["worktree", "add", "--quiet", "--detach", at, commit];
        github.workspace.git(&add);
    }
    folder.to_owned()
}

/// The address of the engine that the tests use.
pub(super) fn engine() -> String {
    let engine = std::env::var("DOCKER_HOST");
    engine.unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}

/// Writes what a run printed to a file that outlives its test, and says which. A test's runs are numbered;
/// those of the next time replace it.
fn keep_log(ran: &Ran) {
    thread_local! {
        static COUNT: Cell<usize> = const { Cell::new(0) };
    }
    let number = COUNT.replace(COUNT.get() + 1);
    let thread = std::thread::current();
    let test = thread.name().unwrap_or("main").replace("::", ".");
    let folder = root().join("target/xtask/act");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join(format!("{test}.{number}.log"));
    let said = format!("{}\n{}\nexit code {:?}\n", ran.stdout, ran.stderr, ran.code);
    fs::write(&path, said).unwrap();
    // The test harness shows it when the test fails.
    eprintln!("act's log: {}", path.display());
}

/// [`Ran::succeeded`] that prints act's log as it is.
#[track_caller]
pub(super) fn succeeded(ran: &Ran) {
    let is_news = |line: &&str| !line.contains("LocalRepositoryCache");
    let log: Vec<&str> = ran.stdout.lines().filter(is_news).collect();
    assert_eq!(ran.code, Some(0), "{}\n{}", log.join("\n"), ran.stderr);
}

/// The folder of the stand-ins.
pub(super) fn stand_ins() -> PathBuf {
    root().join("xtask/tests/actions")
}
