//! The stand-in of the Anthropic API (`claude_api.py`) beside Claude Code in a sandbox.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::Ran;
use crate::world::{Container, root};

/// Where the operator's API listens: what `ANTHROPIC_BASE_URL` of the sandbox names.
pub(crate) const OPERATOR: &str = "http://127.0.0.1:8001";
/// Where a hostile repository wants requests to go.
pub(crate) const ATTACKER: &str = "http://127.0.0.1:8002";

const LOG: &str = "/tmp/claude-api.log";

/// The files that the stand-in needs in the container.
pub(crate) struct Api {
    folder: TempDir,
}

impl Api {
    /// An API that answers every conversation with `turns`, see `claude_api.py`.
    pub(crate) fn new(turns: &Value) -> Api {
        let folder = tempfile::tempdir().unwrap();
        let script = root().join("xtask/tests/e2e/claude_api.py");
        fs::copy(script, folder.path().join("claude_api.py")).unwrap();
        fs::write(folder.path().join("turns.json"), turns.to_string()).unwrap();
        open_to_all(folder.path().to_owned());
        Api { folder }
    }

    /// The bind that a container needs.
    pub(crate) fn bind(&self) -> String {
        format!("{}:/opt/claude-api:ro", self.folder.path().display())
    }

    /// Starts it in a container; it listens when this returns.
    pub(crate) fn start(container: &Container) {
        let ports = ["operator=8001", "attacker=8002"];
        let start = ["python3", "/opt/claude-api/claude_api.py"];
        let files = ["/opt/claude-api/turns.json", LOG];
        let command = [&start[..], &files, &ports].concat();
        container.exec(&command).succeeded();
    }

    /// The requests that it has received.
    pub(crate) fn requests(container: &Container) -> Vec<Value> {
        let log = container.exec(&["cat", LOG]).succeeded().stdout;
        let lines = log.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// The sandbox's user is not the one who runs the tests.
fn open_to_all(path: PathBuf) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What `claude -p --output-format json` printed last: the line that AgentGate's server takes.
#[track_caller]
pub(crate) fn result(ran: &Ran) -> Value {
    let mut lines = ran.stdout.lines().rev();
    let line = lines.find(|line| line.starts_with('{'));
    let line = line.unwrap_or_else(|| panic!("no result in {ran:#?}"));
    serde_json::from_str(line).unwrap()
}
