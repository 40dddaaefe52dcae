//! Runs a row: each command at a stand of its own, then crane; and judges what came out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;

use tempfile::TempDir;

use super::auth::BASIC;
use super::row::{Command, Crane, Ends, Failure, Row};
use super::scene::{OLD, Scene, changed, receipts};
use super::stand::Stand;
use crate::common::{Ran, command};
use crate::world::{root, unique_name, xtask_in};

pub(super) struct Runner<'a> {
    pub(super) scene: &'a Scene,
    /// What each reading command says where there is no quirk.
    plain: Mutex<BTreeMap<Command, String>>,
    /// An image for `crane push`, where there is a crane.
    layout: Option<TempDir>,
}

/// What is wrong with a run; empty when all is as it must be.
type Wrong = Vec<String>;

impl Command {
    fn reads(self) -> bool {
        use Command::{Audit, AuditAll, Plan, Prune, Status, Tags};
        matches!(self, Tags | Audit | AuditAll | Status | Plan | Prune)
    }

    fn needs_engine(self) -> bool {
        matches!(self, Command::Push | Command::Verify)
    }

    /// Whether it begins with an empty repository.
    fn begins_empty(self) -> bool {
        matches!(self, Command::Copy | Command::Push)
    }

    /// The command line; `others` are the repositories before the row's own, and after it.
    fn args(self, folder: &Path, repositories: &[String]) -> Vec<String> {
        let given = receipts(folder);
        let release = ["release", "--version", "2.1.0", "--receipt-dir", &given];
        let release = |more: &[&str]| [&release, more].concat().join("\n");
        let text = match self {
            Command::Tags => "tags\n--published".to_owned(),
            Command::Audit => "audit".to_owned(),
            Command::AuditAll => "audit\n--all".to_owned(),
            Command::Status => format!("release\n--status\n--receipt-dir\n{given}"),
            Command::Plan => release(&["--dry-run"]),
            Command::Release | Command::Copy | Command::Mount => {
                release(&["--yes", "--retry-for", "4"])
            }
            Command::Merge => "image\n--merge".to_owned(),
            Command::Push => "image\n--push\n--progress\nplain\n--platform\nlinux/amd64".to_owned(),
            Command::Prune => "prune".to_owned(),
            Command::PruneYes => "prune\n--yes".to_owned(),
            Command::Verify => format!("verify\n{}:v2.0.0", repositories[0]),
        };
        let mut args: Vec<String> = text.split('\n').map(str::to_owned).collect();
        args.push("--json".to_owned());
        for repository in repositories.iter().filter(|_| self != Command::Verify) {
            args.extend(["--repository".to_owned(), repository.clone()]);
        }
        args
    }

    /// The tags that it changes where all is well.
    fn changes(self, scene: &Scene) -> Vec<String> {
        let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        match self {
            Command::Release => names(&["latest", "v2.1.0"]),
            Command::Copy | Command::Mount => names(&["latest", &scene.next.0, "v2.1.0"]),
            Command::Merge => names(&[&scene.head]),
            Command::Push => names(&[&format!("{}-linux-amd64", scene.head)]),
            Command::PruneYes => names(&[OLD]),
            _ => Vec::new(),
        }
    }
}

impl<'a> Runner<'a> {
    pub(super) fn new(scene: &'a Scene) -> Runner<'a> {
        let has_crane = which::which("crane").is_ok();
        let is_test_bed = std::env::var_os("TESTBED_REGISTRY").is_some();
        assert!(has_crane || !is_test_bed, "the test bed brings crane");
        if !has_crane {
            eprintln!("NOT RUN: crane, which is not on PATH");
        }
        Runner {
            scene,
            plain: Mutex::default(),
            layout: has_crane.then(|| layout(scene)),
        }
    }

    /// What is wrong with a row.
    pub(super) fn row(&self, row: &Row) -> Wrong {
        let mut wrong = Wrong::new();
        for &(command, ends) in row.runs {
            if command.needs_engine() && std::env::var_os("QUIRKS_NO_ENGINE").is_some() {
                continue;
            }
            let found = self.run(row, command, ends);
            wrong.extend(found.into_iter().map(|why| format!("{command:?}: {why}")));
        }
        wrong.extend(self.crane(row).map(|why| format!("crane: {why}")));
        wrong
    }

    fn run(&self, row: &Row, command: Command, ends: Ends) -> Wrong {
        let stand = Stand::before(&self.scene.upstream, row.place, row.auth, row.rules);
        let session = Session::new(self.scene, command, &stand);
        let before = self.scene.tags(&session.path);
        let ran = session.run(command, &stand, row);
        let after = self.scene.tags(&session.path);
        let mut wrong: Wrong = stand.leaks();
        let changes: Vec<String> = changed(&before, &after).into_iter().collect();
        match ends {
            Ends::Works if ran.code != Some(0) => wrong.push(format!("fails: {}", end(&ran))),
            Ends::Works if command.reads() => {
                let said = session.neutral(&ran.stdout);
                let plain = self.plain(command);
                if said != plain {
                    wrong.push(difference(&said, &plain));
                }
            }
            Ends::Shows(parts) => {
                let missing = parts.iter().filter(|part| !ran.stdout.contains(**part));
                wrong.extend(missing.map(|part| format!("shows no `{part}`: {}", end(&ran))));
            }
            Ends::Works => {
                let mut wanted = command.changes(self.scene);
                wanted.sort();
                if changes != wanted {
                    wrong.push(format!(
                        "changed {changes:?} instead of {wanted:?}: {}",
                        end(&ran)
                    ));
                }
            }
            Ends::Fails(failure) => {
                wrong.extend(failure.judge(&ran, &changes));
                let requests = stand.seen().len();
                if requests > failure.requests {
                    wrong.push(format!("takes {requests} requests"));
                }
            }
        }
        for tag in ["v2.1.0", "latest"] {
            let digest = after
                .get(tag)
                .filter(|_| changes.iter().any(|one| one == tag));
            if digest.is_some_and(|digest| *digest != self.scene.next.1) {
                wrong.push(format!("{tag} is at {digest:?}"));
            }
        }
        if !wrong.is_empty() {
            wrong.push(requests(&stand));
        }
        wrong
    }

    /// What a reading command says of the same repository without a quirk.
    fn plain(&self, command: Command) -> String {
        if let Some(plain) = self.plain.lock().unwrap().get(&command) {
            return plain.clone();
        }
        let row = super::row::ROW;
        let stand = Stand::before(&self.scene.upstream, row.place, BASIC, &[]);
        let session = Session::new(self.scene, command, &stand);
        let ran = session.run(command, &stand, &row).succeeded();
        let plain = session.neutral(&ran.stdout);
        self.plain.lock().unwrap().insert(command, plain.clone());
        plain
    }

    /// What is wrong with what crane makes of a row.
    fn crane(&self, row: &Row) -> Option<String> {
        let layout = self.layout.as_ref()?.path().to_str()?;
        let (args, differs) = match row.crane {
            Crane::None(_) => return None,
            Crane::Agrees(args) => (args, None),
            Crane::Differs(args, why) => (args, Some(why)),
        };
        let works = matches!(row.runs.first(), Some((_, Ends::Works | Ends::Shows(_))));
        let stand = Stand::before(&self.scene.upstream, row.place, row.auth, row.rules);
        let path = match args[0] {
            "tag" | "delete" => self.scene.publish(),
            "copy" | "push" => format!("push-test/{}", unique_name()),
            _ => self.scene.path.clone(),
        };
        let mut crane = command("crane", &root());
        for arg in args {
            let arg = arg.replace("{repo}", &format!("{}/{path}", stand.names.registry));
            let own = format!("{}/{}", stand.names.registry, self.scene.path);
            let arg = arg.replace("{own}", &own);
            let arg = arg
                .replace("{digest}", &self.scene.next.1)
                .replace("{layout}", layout);
            crane.arg(arg.replace("{blob}", &self.scene.blob));
        }
        let home = tempfile::tempdir().unwrap();
        stand.prepare(&mut crane, home.path(), row.login);
        let ran = Ran::of(&mut crane);
        let tags = self.scene.tags(&path);
        let is_right = match args[0] {
            "ls" => {
                let mut said: Vec<&str> = ran.stdout.lines().collect();
                said.sort_unstable();
                said.iter().eq(tags.keys())
            }
            "digest" => Some(ran.stdout.trim()) == tags.get("latest").map(String::as_str),
            "push" => tags.get("v2.1.0") == Some(&self.scene.image),
            "tag" | "copy" => tags.get("v2.1.0") == Some(&self.scene.next.1),
            _ => true,
        };
        let did = ran.code == Some(0) && is_right;
        let is_as_said = (did == works) == differs.is_none();
        (!is_as_said).then(|| {
            let end = end(&ran);
            let requests = requests(&stand);
            format!("works {did}, is right {is_right}, differs {differs:?}: {end}\n{requests}")
        })
    }
}

impl Failure {
    fn judge(&self, ran: &Ran, changes: &[String]) -> Wrong {
        let mut wrong = Wrong::new();
        if ran.code != Some(self.code) {
            wrong.push(format!(
                "ended with {:?} instead of {}",
                ran.code, self.code
            ));
        }
        for said in self.says.iter().filter(|said| !ran.stderr.contains(**said)) {
            wrong.push(format!("does not say `{said}`"));
        }
        for said in self.never.iter().filter(|said| ran.stderr.contains(**said)) {
            wrong.push(format!("says `{said}`"));
        }
        let mut wanted = self.changes.to_vec();
        wanted.sort_unstable();
        if changes != wanted {
            wrong.push(format!("changed {changes:?} instead of {wanted:?}"));
        }
        if !wrong.is_empty() {
            wrong.push(end(ran));
        }
        wrong
    }
}

/// What only one of two outputs has.
fn difference(said: &str, plain: &str) -> String {
    let only = |text: &str, other: &str| {
        let other: Vec<&str> = other.lines().collect();
        let lines = text.lines().filter(|line| !other.contains(line)).take(8);
        lines.map(str::trim).collect::<Vec<_>>().join("\n")
    };
    let (more, less) = (only(said, plain), only(plain, said));
    let counts = (said.lines().count(), plain.lines().count());
    format!("{counts:?} lines; says {more}\nand not, as without the quirk, {less}")
}

/// How a run ended.
fn end(ran: &Ran) -> String {
    let lines: Vec<&str> = ran.stderr.lines().rev().take(6).collect();
    let lines: Vec<&str> = lines.into_iter().rev().collect();
    format!("exit code {:?}: {}", ran.code, lines.join("\n"))
}

/// The requests of a run, the last ones where there are many.
fn requests(stand: &Stand) -> String {
    let seen = stand.seen();
    let seen = seen.iter().rev().take(40).rev();
    let lines = seen.map(|one| {
        let target: String = one.target.chars().take(90).collect();
        let authorization = one.authorization.as_deref().unwrap_or("-");
        let authorization: String = authorization.chars().take(12).collect();
        format!(
            "    {:?} {} {target} [{authorization}]\n",
            one.role, one.method
        )
    });
    lines.collect()
}

/// An image of one platform as a layout, so that crane has nothing to mount.
fn layout(scene: &Scene) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let image = format!("{}/{}@{}", scene.upstream, scene.path, scene.image);
    let mut crane = command("crane", &root());
    crane
        .args(["pull", "--format", "oci", &image])
        .arg(folder.path());
    Ran::of(&mut crane).succeeded();
    folder
}

/// A command, where it runs, and the repositories that it is about.
struct Session {
    folder: Folder,
    home: TempDir,
    /// The row's repository.
    path: String,
    repositories: Vec<String>,
    stand: String,
}

enum Folder {
    Shared(std::path::PathBuf),
    Own(TempDir),
}

impl Session {
    fn new(scene: &Scene, command: Command, stand: &Stand) -> Session {
        let path = match command {
            _ if command.reads() || command == Command::Verify => scene.path.clone(),
            _ if command.begins_empty() => format!("push-test/{}", unique_name()),
            Command::Mount => format!("push-test/{}", unique_name()),
            _ => scene.publish(),
        };
        let own = format!("{}/{path}", stand.names.registry);
        let repositories = match command {
            Command::Copy => vec![format!("{}/{}", scene.upstream, scene.publish()), own],
            Command::Mount => {
                vec![format!("{}/{}", stand.names.registry, scene.publish()), own]
            }
            _ => vec![own],
        };
        Session {
            folder: if command.reads() {
                Folder::Shared(scene.folder())
            } else {
                Folder::Own(scene.copy())
            },
            home: tempfile::tempdir().unwrap(),
            path,
            repositories,
            stand: stand.names.registry.clone(),
        }
    }

    fn run(&self, command: Command, stand: &Stand, row: &Row) -> Ran {
        let folder = match &self.folder {
            Folder::Shared(path) => path.as_path(),
            Folder::Own(folder) => folder.path(),
        };
        let args = command.args(folder, &self.repositories);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let mut xtask = xtask_in(folder, &args);
        stand.prepare(&mut xtask, self.home.path(), row.login);
        xtask.envs(row.env.iter().copied());
        if command.needs_engine() {
            share_plugins(self.home.path());
        } else {
            // Nothing but the registry is asked.
            xtask.env("DOCKER_HOST", "unix:///nowhere");
        }
        Ran::of(&mut xtask)
    }

    /// What was said, without the registry's address.
    fn neutral(&self, text: &str) -> String {
        text.replace(&self.stand, "REGISTRY")
    }
}

/// Lets a docker with another configuration find its plugins.
fn share_plugins(home: &Path) {
    let Some(own) = std::env::var_os("DOCKER_CONFIG") else {
        return;
    };
    for name in ["cli-plugins", "buildx", "contexts"] {
        let from = Path::new(&own).join(name);
        if from.exists() {
            std::os::unix::fs::symlink(from, home.join(name)).unwrap();
        }
    }
}
