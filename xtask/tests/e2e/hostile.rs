//! A hostile repository in the workspace: what Claude Code does with its settings by default, and
//! that the strict settings prevent all of it (docs/security.md).

mod cases;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use self::cases::{Case, cases};
use crate::claude_api::{Api, OPERATOR, result};
use crate::common::{Ran, command};
use crate::world::{Container, HARDENED, docker, image, workspace};

const KEY: &str = "the-operators-key";

/// A sandbox with a folder for each hostile repository, and the API on its loopback.
struct Sandbox {
    container: Container,
    workspace: TempDir,
    _api: Api,
}

impl Sandbox {
    /// Started as AgentGate's server does it, with more options.
    fn start(options: &[String]) -> Sandbox {
        let (workspace, api) = (workspace(), Api::new(&turns()));
        for case in cases() {
            write(workspace.path(), &case);
        }
        let bind = format!("{}:/workspace:rw", workspace.path().display());
        let files = api.bind();
        let more = options.iter().map(String::as_str);
        let binds = ["-v", &bind, "-v", &files, "--add-host=api.test:127.0.0.1"];
        let options: Vec<&str> = HARDENED.into_iter().chain(binds).chain(more).collect();
        let container = Container::start(&options, &["sleep", "infinity"]);
        Api::start(&container);
        let trust = "printf '%s' \"$1\" > ~/.claude.json";
        let trust = ["sh", "-c", trust, "sh", &trusted()];
        container.exec(&trust).succeeded();
        Sandbox {
            container,
            workspace,
            _api: api,
        }
    }

    /// Lets Claude Code work in one of the repositories, as AgentGate's server starts it.
    fn prompt(&self, case: &Case) -> Seen {
        let before = Api::requests(&self.container).len();
        let folder = format!("/workspace/{}", case.name);
        let key = format!("ANTHROPIC_API_KEY={KEY}");
        let base = format!("ANTHROPIC_BASE_URL={OPERATOR}");
        let base = case
            .base
            .map_or(base, |base| format!("ANTHROPIC_BASE_URL={base}"));
        let head = ["exec", "--workdir", &folder, "-e", &key, "-e", &base];
        let quick = ["-e", "CLAUDE_CODE_MAX_RETRIES=0", self.container.name()];
        let claude = ["claude", "-p", case.prompt, "--output-format", "json"];
        let how = ["--max-turns", "4", "--dangerously-skip-permissions"];
        let ran = docker(&[&head[..], &quick, &claude, &how].concat());
        let requests = Api::requests(&self.container).split_off(before);
        let folder = self.workspace.path().join(case.name);
        Seen {
            marks: marks(&folder),
            requests,
            ran,
        }
    }
}

/// What a repository made Claude Code do.
#[derive(Debug)]
struct Seen {
    /// Which of its commands ran.
    marks: Vec<String>,
    requests: Vec<Value>,
    ran: Ran,
}

impl Seen {
    fn reaches_the_attacker(&self) -> bool {
        self.requests.iter().any(|one| one["to"] == "attacker")
    }
}

/// One command, which hooks may wait for and which prints the variables that it sees; then the end.
fn turns() -> Value {
    let command = "printenv DISABLE_TELEMETRY CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC";
    let input = json!({"command": command, "description": "a step"});
    json!([[{"type": "tool_use", "name": "Bash", "input": input}]])
}

fn write(workspace: &Path, case: &Case) {
    let folder = workspace.join(case.name);
    for (path, text) in &case.files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        if path.extension().is_some_and(|ending| ending == "c") {
            compile(&path);
        }
    }
    // Its commands leave their marks there.
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
}

/// Compiles `NAME.c` to the shared library `NAME`.
fn compile(source: &Path) {
    let mut cc = command("cc", source.parent().unwrap());
    cc.args(["-shared", "-fPIC", "-fno-builtin", "-w", "-o"]);
    let done = cc.arg(source.with_extension("")).arg(source).status();
    assert!(done.unwrap().success(), "cc {}", source.display());
}

/// `~/.claude.json`, in which the user has trusted the folders of some cases.
fn trusted() -> String {
    let cases = cases().into_iter().filter(|case| case.is_trusted);
    let projects: serde_json::Map<String, Value> = cases
        .map(|case| {
            let folder = format!("/workspace/{}", case.name);
            (folder, json!({"hasTrustDialogAccepted": true}))
        })
        .collect();
    json!({"hasCompletedOnboarding": true, "projects": projects}).to_string()
}

/// The files `ran-NAME` of a folder, as NAME.
fn marks(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut marks: Vec<String> = names
        .filter_map(|name| Some(name.strip_prefix("ran-")?.to_owned()))
        .collect();
    marks.sort();
    marks
}

#[test]
#[ignore = "takes minutes: `cargo xtask test --all`"]
fn by_default_claude_code_does_what_a_repository_wants() {
    let sandbox = Sandbox::start(&[]);
    for case in cases() {
        let seen = sandbox.prompt(&case);
        let name = case.name;
        assert_eq!(seen.marks, case.runs, "{name}: {seen:#?}");
        let reaches = seen.reaches_the_attacker();
        assert_eq!(reaches, case.reaches, "{name}: {seen:#?}");
        sends_no_telemetry(name, &seen);
    }
}

#[test]
#[ignore = "verify's `claude-strict-hostile` is this in short: `cargo xtask test --all`"]
fn the_strict_settings_stop_what_a_repository_wants() {
    let folder = tempfile::tempdir().unwrap();
    let mount = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let target = format!("/etc/claude-code/managed-settings.d/{name}");
        ["-v".to_owned(), format!("{}:{target}:ro", path.display())]
    };
    // As in docs/security.md.
    let cat = ["run", "--rm", "--entrypoint", "cat", image()];
    let strict = docker(&[&cat[..], &["/etc/claude-code/strict.json"]].concat()).succeeded();
    let gateway = json!({"env": {"ANTHROPIC_BASE_URL": OPERATOR}}).to_string();
    let strict = mount("50-strict.json", &strict.stdout);
    let sandbox = Sandbox::start(&[strict, mount("60-gateway.json", &gateway)].concat());
    for case in cases() {
        let seen = sandbox.prompt(&case);
        let name = case.name;
        assert_eq!(seen.marks, [""; 0], "{name}: {seen:#?}");
        assert_eq!(result(&seen.ran)["result"], "done", "{name}: {seen:#?}");
        let is_operators = |one: &Value| {
            one["to"] == "operator" && one["key"] == KEY && one["authorization"].is_null()
        };
        assert!(!seen.requests.is_empty(), "{name}: {seen:#?}");
        assert!(seen.requests.iter().all(is_operators), "{name}: {seen:#?}");
        sends_no_telemetry(name, &seen);
    }
}

/// Claude Code asks the Messages API alone, and its commands see telemetry off.
fn sends_no_telemetry(name: &str, seen: &Seen) {
    let operators = seen.requests.iter().filter(|one| one["to"] == "operator");
    for one in operators {
        let path = one["path"].as_str().unwrap();
        assert!(path.contains("/v1/messages"), "{name}: {seen:#?}");
        let results = one["results"].as_array().unwrap();
        let printed = results.iter().all(|one| one == r#""1\n1""#);
        assert!(printed, "{name}: {seen:#?}");
    }
}
