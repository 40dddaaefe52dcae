//! What keeps an agent from its work, under the contract's options: `health` and the start report it,
//! and their hints help.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::world::{Container, HARDENED, docker, image, workspace};

const HEALTH: [&str; 2] = ["agent-entrypoint", "health"];
const DEEP: [&str; 3] = ["agent-entrypoint", "health", "--deep"];
const CREDENTIALS: &str = "/home/agentgate/.claude/.credentials.json";

/// A sandbox with these binds, as AgentGate starts one.
fn sandbox(binds: &[&str]) -> Container {
    let binds = binds.iter().flat_map(|bind| ["-v", *bind]);
    let options: Vec<&str> = HARDENED.into_iter().chain(binds).collect();
    Container::start(&options, &["sleep", "infinity"])
}

/// The messages of the start.
fn said(container: &Container) -> String {
    let logs = container.docker(&["logs"]).succeeded();
    assert_eq!(logs.stdout, "");
    logs.stderr
}

/// The lines of the probes that fail.
fn failures(container: &Container, health: &[&str]) -> Vec<String> {
    let ran = container.exec(health);
    let lines = ran.stdout.lines().filter(|line| !line.starts_with("ok "));
    let failures: Vec<String> = lines.map(str::to_owned).collect();
    assert_eq!(ran.code == Some(0), failures.is_empty(), "{ran:#?}");
    failures
}

/// Runs a script on the host's side: in a folder of the host, at its own path.
fn on_the_host(folder: &Path, user: &str, script: &str) {
    let folder = folder.display().to_string();
    let bind = format!("{folder}:{folder}");
    let run = ["run", "--rm", "--user", user, "--entrypoint", "sh"];
    let rest = ["-v", &bind, "--workdir", &folder, image(), "-c", script];
    docker(&[&run[..], &rest].concat()).succeeded();
}

/// As in devcontainers/cli#796 and docker/for-win#7332.
#[test]
fn a_worktree_mounted_alone_is_reported_and_the_hint_helps() {
    let host = workspace();
    on_the_host(
        host.path(),
        "agentgate",
        "git init -q main && cd main && git config user.name me && git config user.email me@example.invalid &&
        git commit -q --allow-empty -m first && git worktree add -q ../tree -b topic",
    );
    let tree = format!("{}/tree:/workspace:rw", host.path().display());
    let alone = sandbox(&[&tree]);
    let main = host.path().join("main/.git");
    let main = main.display();
    let hint = format!("{main}:{main}");
    let why = format!(
        "git repository `/workspace/.git` points to `{main}/worktrees/tree`, which is not in this container; hint: docker run -v \"{hint}\" …"
    );
    assert_eq!(said(&alone), format!("agent-entrypoint: warning: {why}\n"));
    for health in [&HEALTH[..], &DEEP] {
        assert_eq!(failures(&alone, health), [format!("fail git: {why}")]);
    }
    let both = sandbox(&[&tree, &hint]);
    assert_eq!(said(&both), "");
    let commit = "touch file && git add file && git commit -qm second && git log --format=%s";
    let ran = both.exec(&["sh", "-c", commit]).succeeded();
    assert_eq!(ran.stdout, "second\nfirst\n");
    assert_eq!(failures(&both, &DEEP), [""; 0]);
}

#[test]
fn damage_that_only_git_finds_fails_deep_health() {
    let folder = workspace();
    let container = Container::start_hardened(folder.path());
    let make = "git init -q . && git -c user.name=me -c user.email=me@example.invalid commit -q --allow-empty -m first";
    container.exec(&["sh", "-c", make]).succeeded();
    assert_eq!(failures(&container, &DEEP), [""; 0]);
    container
        .exec(&["sh", "-c", "rm -r .git/objects/??"])
        .succeeded();
    assert_eq!(failures(&container, &HEALTH), [""; 0]);
    let failures = failures(&container, &DEEP);
    let start = "fail git: git cannot open the repository: fatal: bad object ";
    assert!(
        failures.len() == 1 && failures[0].starts_with(start),
        "{failures:?}"
    );
}

#[test]
fn a_full_tmp_and_a_full_home_are_unhealthy_until_there_is_room() {
    let folder = workspace();
    let bind = format!("{}:/workspace:rw", folder.path().display());
    let small: Vec<String> = HARDENED
        .iter()
        .map(|option| {
            option
                .replace("size=512m", "size=64k")
                .replace("size=256m", "size=64k")
        })
        .collect();
    let options: Vec<&str> = small
        .iter()
        .map(String::as_str)
        .chain(["-v", &bind])
        .collect();
    let container = Container::start(&options, &["sleep", "infinity"]);
    assert_eq!(said(&container), "");
    let fill = "! cat /dev/zero >/tmp/full 2>/dev/null && ! cat /dev/zero >~/full 2>/dev/null";
    container.exec(&["sh", "-c", fill]).succeeded();
    let no_space = "is full: no space is left (`df`); hint: remove files there, or raise the `size=` of its `--tmpfs`";
    for health in [&HEALTH[..], &DEEP] {
        let expected = [
            format!("fail home: home `/home/agentgate` {no_space}"),
            format!("fail tmp: temporary folder `/tmp` {no_space}"),
        ];
        assert_eq!(failures(&container, health), expected);
    }
    container
        .exec(&["sh", "-c", "rm /tmp/full ~/full"])
        .succeeded();
    assert_eq!(failures(&container, &DEEP), [""; 0]);
}

/// Claude Code hung on the first, and could run no command with the second.
#[test]
fn files_that_keep_claude_code_from_working_are_reported() {
    let folder = workspace();
    let container = Container::start_hardened(folder.path());
    let spoil = "mkfifo ~/.claude.json && touch /tmp/claude-1000";
    container.exec(&["sh", "-c", spoil]).succeeded();
    let remove = "hint: docker exec --privileged --user root CONTAINER rm -rf /tmp/claude-1000";
    let expected = [
        "fail home: Claude Code's `/home/agentgate/.claude.json` is not a regular file; hint: remove it, or mount a file there".to_owned(),
        format!("fail tmp: Claude Code's temporary folder `/tmp/claude-1000` is not a directory; {remove}"),
    ];
    for health in [&HEALTH[..], &DEEP] {
        assert_eq!(failures(&container, health), expected);
    }
    let name = container.name();
    let hint = [
        "exec",
        "--privileged",
        "--user",
        "root",
        name,
        "rm",
        "-rf",
        "/tmp/claude-1000",
    ];
    docker(&hint).succeeded();
    container
        .exec(&["sh", "-c", "rm ~/.claude.json"])
        .succeeded();
    assert_eq!(failures(&container, &DEEP), [""; 0]);
}

/// As in anthropics/claude-code#18443: a mount of a file keeps the file.
#[test]
fn credentials_that_were_replaced_or_missing_on_the_host_are_reported() {
    let (folder, host) = (workspace(), workspace());
    let work = format!("{}:/workspace:rw", folder.path().display());
    let file = host.path().join("credentials");
    fs::write(&file, "{}").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let bind = |file: &Path| format!("{}:{CREDENTIALS}:ro", file.display());
    let container = sandbox(&[&work, &bind(&file)]);
    assert_eq!(said(&container), "");
    assert_eq!(failures(&container, &HEALTH), [""; 0]);
    let new = host.path().join("new");
    fs::write(&new, "{}").unwrap();
    fs::rename(&new, &file).unwrap();
    let replaced = format!(
        "fail credentials: credentials `{CREDENTIALS}` were replaced on the host, and the mount keeps the old file; hint: start a new container, or mount the folder and not the file"
    );
    assert_eq!(failures(&container, &HEALTH), [replaced]);

    let container = sandbox(&[&work, &bind(&host.path().join("missing"))]);
    let why = format!(
        "credentials `{CREDENTIALS}` are a folder, which the engine makes if the host has no such file; hint: on the host: remove the folder, log in, and start a new container"
    );
    assert_eq!(
        said(&container),
        format!("agent-entrypoint: warning: {why}\n")
    );
    assert_eq!(
        failures(&container, &HEALTH),
        [format!("fail credentials: {why}")]
    );
}

#[test]
fn a_mounted_claude_folder_of_another_user_is_reported() {
    let (folder, settings) = (workspace(), workspace());
    on_the_host(settings.path(), "root", "chown 1001:1001 . && chmod 700 .");
    let container =
        Container::start_mounted(folder.path(), Path::new("/bin/true"), settings.path());
    let why = "Claude Code's folder `/home/agentgate/.claude` is not writable: it belongs to 1001:1001, mode 0700, and this is 1000:1000; hint: on the host: `sudo chown -R 1000:1000 ~/.claude`, or run the container with `--user 1001:1001`";
    assert_eq!(
        said(&container),
        format!("agent-entrypoint: warning: {why}\n")
    );
    assert_eq!(failures(&container, &HEALTH), [format!("fail home: {why}")]);
    on_the_host(settings.path(), "root", "chown -R 1000:1000 .");
    assert_eq!(failures(&container, &HEALTH), [""; 0]);
}

/// With mounted credentials and no tmpfs for their folder, as in the contract, the engine makes the folder for root.
#[test]
fn a_folder_that_the_engine_made_fails_deep_health_and_its_hint_helps() {
    let folder = workspace();
    let work = format!("{}:/workspace:rw", folder.path().display());
    let container = sandbox(&[&work, &format!("/dev/null:{CREDENTIALS}:ro")]);
    assert_eq!(said(&container), "");
    assert_eq!(failures(&container, &HEALTH), [""; 0]);
    let failures_before = failures(&container, &DEEP);
    let hint =
        "docker exec --privileged --user root CONTAINER chown 1000:1000 /home/agentgate/.claude";
    assert!(
        failures_before.len() == 1 && failures_before[0].ends_with(&format!("; hint: {hint}")),
        "{failures_before:?}"
    );
    let mut words: Vec<&str> = hint.split(' ').skip(1).collect();
    let place = words.iter().position(|word| *word == "CONTAINER").unwrap();
    words[place] = container.name();
    docker(&words).succeeded();
    assert_eq!(failures(&container, &DEEP), [""; 0]);
}

/// A workspace with what the real git, Node and Claude Code could execute of it, each leaving a mark.
fn hostile() -> TempDir {
    let folder = workspace();
    on_the_host(
        folder.path(),
        "agentgate",
        r#"printf '#!/bin/sh\n: >/workspace/mark-git\n' >mark.sh && chmod 755 mark.sh && git init -q . && git add mark.sh &&
        git -c user.name=me -c user.email=me@example.invalid commit -qm first &&
        for name in core.fsmonitor core.pager core.sshCommand core.askPass diff.external credential.helper filter.x.clean pager.rev-list; do
            git config $name /workspace/mark.sh || exit 1
        done
        git config alias.rev-list '!/workspace/mark.sh' && git config core.hooksPath /workspace/hooks && mkdir hooks &&
        cp mark.sh hooks/post-index-change && cp mark.sh hooks/reference-transaction && echo '* filter=x' >.gitattributes &&
        git config extensions.partialClone origin && git config core.repositoryformatversion 1 && git config remote.origin.promisor true &&
        git config protocol.allow always && git config protocol.ext.allow always && git config remote.origin.url 'ext::/workspace/mark.sh' &&
        echo 'preload = ["./preload.js"]' >bunfig.toml && echo "require('fs').writeFileSync('/workspace/mark-js', '')" >preload.js &&
        printf 'NODE_OPTIONS=--require=./preload.js\nBUN_OPTIONS=--preload=./preload.js\nPATH=/workspace\n' >.env && cp .env .env.production &&
        echo '{"type":"commonjs","scripts":{"preinstall":"./mark.sh"}}' >package.json && echo 'node-options=--require=./preload.js' >.npmrc &&
        for name in node claude git sh; do cp mark.sh $name; done &&
        mkdir .claude && echo '{"hooks":{"SessionStart":[{"hooks":[{"type":"command","command":"./mark.sh"}]}]},"apiKeyHelper":"./mark.sh"}' >.claude/settings.json"#,
    );
    folder
}

#[test]
fn nothing_of_a_hostile_workspace_is_executed_by_health_or_the_start() {
    let folder = hostile();
    let container = Container::start_hardened(folder.path());
    let marks = || {
        let entries = fs::read_dir(folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name.starts_with("mark-"))
            .collect::<Vec<_>>()
    };
    for health in [&HEALTH[..], &DEEP] {
        assert_eq!(failures(&container, health), [""; 0]);
    }
    // An object that a remote promises: git would fetch it, by a program that the repository names.
    let lose = "find .git/objects -type f -path '*/??/*' -delete";
    container.exec(&["sh", "-c", lose]).succeeded();
    let failures = failures(&container, &DEEP);
    assert!(
        failures.len() == 1 && failures[0].starts_with("fail git: "),
        "{failures:?}"
    );
    assert_eq!(marks(), [""; 0]);
    // Plain use of the workspace leaves marks.
    container.exec(&["git", "status"]);
    assert_eq!(marks(), ["mark-git"]);
}
