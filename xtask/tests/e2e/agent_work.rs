//! The real Claude Code at work, against a stand-in of its API: it edits a file, runs tests and
//! commits, started as AgentGate's server starts it.

use std::fs;

use serde_json::{Value, json};

use crate::claude_api::{Api, OPERATOR, result};
use crate::common::Ran;
use crate::world::{Container, HARDENED, docker, workspace};

const BROKEN: &str = "def add(a, b):\n    return a - b\n";
const TEST: &str = "import unittest\nfrom calc import add\n\n\n\
                    class Test(unittest.TestCase):\n    def test_add(self):\n        \
                    self.assertEqual(add(2, 3), 5)\n";

/// What the model asks for, one step after the other.
fn turns() -> Value {
    let step =
        |name: &str, input: Value| json!([{"type": "tool_use", "name": name, "input": input}]);
    let bash = |command: &str| step("Bash", json!({"command": command, "description": "a step"}));
    let text = |text: &str| json!([{"type": "text", "text": text}]);
    let edit =
        json!({"file_path": "/workspace/calc.py", "old_string": "a - b", "new_string": "a + b"});
    json!([
        step("Read", json!({"file_path": "/workspace/calc.py"})),
        step("Edit", edit),
        bash("python3 -m unittest -v"),
        bash("git add --all && git commit --message 'Add instead of subtracting'"),
        text("fixed"),
        // A second prompt to the same conversation.
        step(
            "Write",
            json!({"file_path": "/workspace/README", "content": "A calculator.\n"})
        ),
        bash("git add --all && git commit --message 'Describe it'"),
        text("described"),
    ])
}

/// `claude -p` as AgentGate's server calls it.
fn claude(container: &Container, prompt: &str, options: &[&str]) -> Ran {
    let base = format!("ANTHROPIC_BASE_URL={OPERATOR}");
    let key = "ANTHROPIC_API_KEY=the-operators-key";
    let head = ["exec", "-e", &base, "-e", key, container.name()];
    let prompt = ["claude", "-p", prompt, "--output-format", "json"];
    docker(&[&head[..], &prompt, &["--max-turns", "9"], options].concat())
}

#[test]
fn claude_code_edits_a_file_runs_the_tests_and_commits() {
    let (workspace, api) = (workspace(), Api::new(&turns()));
    let bind = format!("{}:/workspace:rw", workspace.path().display());
    let files = api.bind();
    let options = [&HARDENED[..], &["-v", &bind, "-v", &files]].concat();
    let container = Container::start(&options, &["sleep", "infinity"]);
    Api::start(&container);
    let ignored = (".gitignore", "__pycache__\n");
    for (path, text) in [("calc.py", BROKEN), ("test_calc.py", TEST), ignored] {
        let write = "printf '%s' \"$1\" > \"$2\"";
        let write = ["sh", "-c", write, "sh", text, path];
        container.exec(&write).succeeded();
    }
    container.exec(&["git", "init", "--quiet"]).succeeded();

    let allowed = ["--allowedTools", "Edit,Bash(python3 *),Bash(git *)"];
    let ran = claude(&container, "fix the test", &allowed);
    let said = result(&ran);
    assert_eq!(said["result"], "fixed", "{ran:#?}");
    assert_eq!(said["permission_denials"], json!([]), "{ran:#?}");

    // Later prompts continue the session, and may do everything.
    let session = said["session_id"].as_str().unwrap();
    let options = ["--resume", session, "--dangerously-skip-permissions"];
    let ran = claude(&container, "describe it", &options);
    assert_eq!(result(&ran)["result"], "described", "{ran:#?}");

    let log = ["git", "log", "--reverse", "--format=%s"];
    let log = container.exec(&log).succeeded().stdout;
    assert_eq!(log, "Add instead of subtracting\nDescribe it\n");
    let fixed = fs::read_to_string(workspace.path().join("calc.py")).unwrap();
    assert_eq!(fixed, BROKEN.replace('-', "+"));
    sees_what_its_tools_print(&Api::requests(&container));
}

/// Each request brings what the tool before it printed.
fn sees_what_its_tools_print(requests: &[Value]) {
    let results: Vec<String> = requests
        .iter()
        .map(|one| one["results"].to_string())
        .collect();
    let has = |text: &str| results.iter().any(|result| result.contains(text));
    assert!(has("Ran 1 test") && has("OK"), "{results:#?}");
    assert!(has("1 file changed, 1 insertion(+)"), "{results:#?}");
    let keys = requests.iter().map(|one| &one["key"]);
    assert!(
        keys.into_iter().all(|key| key == "the-operators-key"),
        "{requests:#?}"
    );
}
