//! The specification's eight verification steps (6.4), as a user types them on a terminal.

use std::io::Write as _;
use std::process::Stdio;

use crate::common::{Ran, command};
use crate::world::{HARDENED, arch, docker, image, pinned_claude, root, unique_name, workspace};

/// Step 1 is the build. Steps 2 to 8: a container with a terminal, the commands, no container left.
fn steps(options: &[&str]) {
    let name = unique_name();
    let line = format!(
        "docker run --rm -it --name {name} {} {} bash",
        options.join(" "),
        image()
    );
    // The prompt is emptied so that only what the commands print stands on their lines.
    let typed = "PS1=; tty && echo TTY-OK\n\
                 echo node=$(node --version)\n\
                 echo claude=$(claude --version)\n\
                 echo git=$(git --version)\n\
                 echo user=$(whoami)\n\
                 echo workspace=$(ls -d /workspace)\n\
                 sleep 100 & kill %1; echo jobs=$-\n\
                 exit 7\n";
    let ran = type_on_a_terminal(&line, typed);
    let said = ran.stdout.replace('\r', "");
    let line = |prefix: &str| {
        let found = said
            .lines()
            .find_map(|line| line.trim().strip_prefix(prefix));
        found.unwrap_or_else(|| panic!("no line `{prefix}…` in {ran:#?}"))
    };
    assert!(said.contains("\nTTY-OK"), "{ran:#?}");
    assert!(line("node=").starts_with("v20."), "{ran:#?}");
    assert_eq!(
        line("claude="),
        format!("{} (Claude Code)", pinned_claude(arch())),
        "{ran:#?}"
    );
    assert!(line("git=").starts_with("git version 2."), "{ran:#?}");
    assert_eq!(line("user="), "agentgate", "{ran:#?}");
    assert_eq!(line("workspace="), "/workspace", "{ran:#?}");
    assert!(line("jobs=").contains('m'), "no job control: {ran:#?}");
    assert!(!said.contains("no job control"), "{ran:#?}");
    assert_eq!(ran.code, Some(7), "{ran:#?}");
    let left = docker(&[
        "ps",
        "--all",
        "--quiet",
        "--filter",
        &format!("name={name}"),
    ]);
    assert_eq!(left.succeeded().stdout, "");
}

/// Runs a command line on a terminal (util-linux's `script` provides it) with `input` typed in.
fn type_on_a_terminal(line: &str, input: &str) -> Ran {
    let mut script = command("script", &root());
    script
        .args(["-qec", line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = script.stderr(Stdio::piped()).spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    Ran::from(child.wait_with_output().unwrap())
}

#[test]
fn the_eight_steps_under_plain_docker_run() {
    steps(&[]);
}

#[test]
fn the_eight_steps_under_the_contracts_command_line() {
    let workspace = workspace();
    let bind = format!("{}:/workspace:rw", workspace.path().display());
    let options: Vec<&str> = HARDENED.into_iter().chain(["-v", &bind]).collect();
    steps(&options);
}
