//! The contract: the image as AgentGate's server starts and uses it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::common::Ran;
use crate::world::{Container, arch, docker, image, inspect, pinned_claude, workspace};

/// Succeeded, printed exactly `stdout` and nothing on stderr.
#[track_caller]
fn says(ran: Ran, stdout: &str) {
    let ran = ran.succeeded();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), (stdout, ""));
}

#[test]
fn an_exec_finds_user_home_path_and_a_clean_stdout() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    says(
        container.exec(&["id"]),
        "uid=1000(agentgate) gid=1000(agentgate) groups=1000(agentgate)\n",
    );
    says(container.exec(&["pwd"]), "/workspace\n");
    says(
        container.exec(&["sh", "-c", "command -v claude"]),
        "/usr/local/bin/claude\n",
    );
    says(
        container.exec(&["claude", "--version"]),
        &format!("{} (Claude Code)\n", pinned_claude(arch())),
    );
    says(
        container.exec(&["sh", "-c", "touch $HOME/x /tmp/x && ls $HOME/x /tmp/x"]),
        "/home/agentgate/x\n/tmp/x\n",
    );
    says(
        container.exec(&["grep", "^agentgate:", "/etc/passwd"]),
        "agentgate:x:1000:1000:AgentGate agent:/home/agentgate:/bin/bash\n",
    );
    says(
        container.exec(&["sh", "-c", "tr '\\0' ' ' < /proc/1/cmdline"]),
        "/usr/local/bin/agent-entrypoint sleep infinity ",
    );
    assert_eq!(container.exec(&["touch", "/usr/x"]).code, Some(1));
}

#[test]
fn work_is_done_in_the_workspace() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    container.exec(&["mkdir", "-p", "a/b"]).succeeded();
    container
        .exec(&["sh", "-c", "printf 'x y' > a/b/file"])
        .succeeded();
    says(container.exec(&["cat", "a/b/file"]), "x y");
    says(container.exec(&["ls", "-1", "a"]), "b\n");
    assert_eq!(
        fs::read_to_string(workspace.path().join("a/b/file")).unwrap(),
        "x y"
    );
    says(
        container.exec(&["python3", "-c", "import json; print(json.dumps([1]))"]),
        "[1]\n",
    );
    says(
        container.exec(&["sh", "-c", "echo '{\"a\":1}' | jq .a"]),
        "1\n",
    );
    assert!(
        container
            .exec(&["curl", "--version"])
            .succeeded()
            .stdout
            .starts_with("curl ")
    );
}

#[test]
fn a_missing_program_is_127_and_a_forbidden_one_126() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    assert_eq!(container.exec(&["no-such-program"]).code, Some(127));
    assert_eq!(container.exec(&["/etc/passwd"]).code, Some(126));
    let run = |program: &str| docker(&["run", "--rm", image(), program]);
    assert_eq!(run("no-such-program").code, Some(127));
    assert_eq!(run("/etc/passwd").code, Some(126));
}

#[test]
fn git_works_in_a_workspace_of_another_owner() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    let prepare = "for dir in . nested/deep; do git init -q $dir && git -C $dir -c user.name=A -c user.email=a@b commit -q --allow-empty -m m; done";
    container.exec(&["sh", "-c", prepare]).succeeded();
    own(workspace.path(), 4242);
    for folder in [".", "nested/deep"] {
        says(
            container.exec(&["git", "-C", folder, "log", "--format=%s"]),
            "m\n",
        );
    }
}

/// Gives everything below `path` to another user. A container does it: these tests may run as a user
/// who may not.
fn own(path: &Path, uid: u32) {
    let bind = format!("{}:/given", path.display());
    let owner = format!("{uid}:{uid}");
    let run = [
        "run",
        "--rm",
        "--user",
        "0",
        "-v",
        &bind,
        "--entrypoint",
        "chown",
    ];
    docker(&[&run[..], &[image(), "-R", &owner, "/given"]].concat()).succeeded();
}

#[test]
fn claudes_settings_reach_an_exec() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    let env = container.exec(&["env"]).succeeded().stdout;
    for name in [
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_AUTOUPDATER",
    ] {
        assert!(
            env.lines().any(|line| line == format!("{name}=1")),
            "{name} is not 1 in {env}"
        );
    }
    container
        .exec(&["jq", "-e", ".", "/etc/claude-code/managed-settings.json"])
        .succeeded();
    let prompt = container.exec(&[
        "timeout",
        "30",
        "claude",
        "-p",
        "hello",
        "--output-format",
        "json",
    ]);
    assert_eq!(prompt.code, Some(1), "{prompt:#?}");
    let last = prompt
        .stdout
        .lines()
        .rfind(|line| line.starts_with('{'))
        .unwrap();
    let answer: serde_json::Value = serde_json::from_str(last).unwrap();
    assert!(
        answer["result"].as_str().unwrap().contains("Not logged in"),
        "{answer}"
    );
}

#[test]
fn stop_ends_an_idle_container_as_asked() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    container.docker(&["stop"]).succeeded();
    // 137 would mean that the five seconds ran out and the engine killed it.
    assert_eq!(container.state("ExitCode"), "0");
}

#[test]
fn without_a_command_it_keeps_running_until_stopped() {
    let container = Container::start(&["--stop-timeout=5"], &[]);
    assert!(
        !container
            .exec(&["sh", "-c", "sleep 300 & true"])
            .stdout
            .contains("sleep")
    );
    assert_eq!(container.state("Running"), "true");
    container.docker(&["stop"]).succeeded();
    assert_eq!(container.state("ExitCode"), "0");
}

#[test]
fn orphans_are_reaped() {
    let container = Container::start(&[], &[]);
    container
        .exec(&["sh", "-c", "for i in 1 2 3 4 5; do (true &) ; done"])
        .succeeded();
    // Reaping happens on the signal of each death: ask until none is left, 100 times at most.
    let zombies = "for i in $(seq 100); do grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null || exit 0; done; exit 1";
    container.exec(&["sh", "-c", zombies]).succeeded();
}

#[test]
fn health_needs_the_mounted_workspace() {
    let workspace = workspace();
    let good = Container::start_hardened(workspace.path());
    good.exec(&["agent-entrypoint", "health"]).succeeded();
    let bad = Container::start(&[], &[]);
    let ran = bad.exec(&["agent-entrypoint", "health"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.contains("/workspace"), "{ran:#?}");
    let check = &inspect(image())["Config"]["Healthcheck"]["Test"];
    assert!(check.to_string().contains("agent-entrypoint"), "{check}");
}

#[test]
fn a_credentials_file_is_read_where_claude_looks() {
    let workspace = workspace();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.json");
    fs::write(&file, r#"{"claudeAiOauth":{}}"#).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    let bind = format!("{}:/workspace:rw", workspace.path().display());
    let credentials = format!(
        "{}:/home/agentgate/.claude/.credentials.json:ro",
        file.display()
    );
    let options: Vec<&str> = crate::world::HARDENED
        .into_iter()
        .chain(["-v", &bind, "-v", &credentials])
        .collect();
    let container = Container::start(&options, &["sleep", "infinity"]);
    says(
        container.exec(&["cat", "/home/agentgate/.claude/.credentials.json"]),
        r#"{"claudeAiOauth":{}}"#,
    );
    assert_ne!(
        container
            .exec(&["sh", "-c", ": > $HOME/.claude/.credentials.json"])
            .code,
        Some(0)
    );
}

#[test]
fn nothing_is_setuid_and_no_build_tool_is_left() {
    // As root, which the entrypoint would not stay.
    let look = |script: &str| {
        let run = ["run", "--rm", "--user", "root", "--entrypoint", "sh"];
        docker(&[&run[..], &[image(), "-c", script]].concat())
    };
    let find = "find / -xdev -perm /6000 -type f; command -v gcc cc cargo rustc make sudo; true";
    says(look(find), "");
    let caches =
        "find /var/cache/apk /root/.npm /home/agentgate /etc/apk/cache -type f 2>/dev/null; true";
    says(look(caches), "");
}

/// The server's default: the host's Claude Code is mounted into HOME, which is the image's own.
#[test]
fn the_second_way_mounts_the_hosts_claude_code() {
    let (work, host) = (workspace(), workspace());
    let claude = host.path().join("claude-of-the-host");
    fs::write(&claude, "#!/bin/sh\necho the host\n").unwrap();
    fs::set_permissions(&claude, fs::Permissions::from_mode(0o755)).unwrap();
    let container = Container::start_mounted(work.path(), &claude, host.path());
    says(
        container.exec(&["sh", "-c", "command -v claude; ~/.local/bin/claude"]),
        "/usr/local/bin/claude\nthe host\n",
    );
    container
        .exec(&["touch", "/home/agentgate/.claude/a"])
        .succeeded();
    assert!(host.path().join("a").exists());
    // A network, but no more rights than without.
    container
        .exec(&["test", "-d", "/sys/class/net/eth0"])
        .succeeded();
    assert_eq!(container.exec(&["touch", "/usr/x"]).code, Some(1));
    let commit = "git init -q . && git commit -q --allow-empty -m m && git log --format=%s";
    says(container.exec(&["sh", "-c", commit]), "m\n");
    container
        .exec(&["agent-entrypoint", "health", "--deep"])
        .succeeded();
    container.docker(&["stop"]).succeeded();
    assert_eq!(container.state("ExitCode"), "0");
    says(container.docker(&["logs"]), "");
}
