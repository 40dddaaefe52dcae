//! git's repository in the workspace, at the start and in `health`: elsewhere, broken, or hostile. The
//! repositories are made, and asked, by the real git.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::harness::{As, folder, needs_root, program};
use crate::running::run;
use crate::trouble::Stage;

/// What makes repositories: `git` without anybody's settings, and `$DIR`, which is the agent's.
const GIT: &str = "export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=me GIT_AUTHOR_EMAIL=me@example.invalid GIT_COMMITTER_NAME=me GIT_COMMITTER_EMAIL=me@example.invalid
new() { git init --quiet --initial-branch=main \"$DIR/$1\" && git -C \"$DIR/$1\" config gc.auto 0; }
commit() { echo 1 >\"$DIR/$1/file\" && git -C \"$DIR/$1\" add file && git -C \"$DIR/$1\" commit --quiet --message=first; }";
const DONE: &str = "unset GIT_CONFIG_NOSYSTEM; export HOME=/tmp; chown -R 1000:1000 \"$DIR\"";

/// Returns true, and prints NOT RUN, if the machine lacks what the test needs.
fn is_left_out(test: &str) -> bool {
    let has_git = program("git").arg("--version").output().is_ok();
    if !has_git {
        eprintln!("NOT RUN: {test}: needs git; hint: `apt-get install git`");
    }
    needs_root(test) || !has_git
}

/// A workspace `w`, made by a script.
fn stage(script: &str) -> Stage {
    Stage::new(&format!("{GIT}; {script}; {DONE}"))
}

/// The start's message, without its beginning, and the lines about git of plain and deep health.
fn seen(stage: &Stage) -> [String; 3] {
    let dir = stage.path().display().to_string();
    let set = |command: &mut Command| {
        command.env("WORKSPACE", stage.path().join("w"));
    };
    let start = stage.start(set);
    let [plain, deep] = [false, true].map(|deep| stage.health("git", deep, set));
    [start, plain, deep].map(|text| text.replace(&dir, "DIR"))
}

#[test]
fn a_repository_that_git_can_open_is_well() {
    let test = "a_repository_that_git_can_open_is_well";
    if is_left_out(test) {
        return;
    }
    for script in [
        "new w",
        "new w; commit w",
        "new w; commit w; git -C \"$DIR/w\" checkout --quiet --detach",
        "new w; commit w; git -C \"$DIR/w\" pack-refs --all; git -C \"$DIR/w\" gc --quiet",
        // A linked worktree, and a submodule's way to name its repository, both whole.
        "new r; commit r; git -C \"$DIR/r\" worktree add --quiet \"$DIR/w\" -b x",
        "new r; mv \"$DIR/r/.git\" \"$DIR/elsewhere\"; mkdir \"$DIR/w\"; echo gitdir: ../elsewhere >\"$DIR/w/.git\"",
        "git init --quiet --separate-git-dir=\"$DIR/elsewhere\" \"$DIR/w\"",
        "new r; mkdir \"$DIR/w\"; ln -s ../r/.git \"$DIR/w/.git\"",
    ] {
        let stage = stage(script);
        let [start, plain, deep] = seen(&stage);
        assert_eq!(
            [start.as_str(), &plain],
            ["", "ok git DIR/w/.git"],
            "{script}"
        );
        let answer = deep
            .strip_prefix("ok git ")
            .unwrap_or_else(|| panic!("{script}: {deep}"));
        let is_commit = answer.len() == 40 && answer.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(is_commit || answer == "no commits yet", "{script}: {deep}");
    }
}

#[test]
fn without_a_repository_git_itself_is_asked() {
    let test = "without_a_repository_git_itself_is_asked";
    if is_left_out(test) {
        return;
    }
    for script in [
        "mkdir \"$DIR/w\"",
        // A repository above the workspace is not in the container.
        "new .; mkdir \"$DIR/w\"",
        // git would take a folder with the files of a bare repository for one; health takes it for a folder.
        "git init --quiet --bare \"$DIR/w\"; echo [core >\"$DIR/w/config\"",
        "mkdir \"$DIR/w\"; ln -s /nonexistent \"$DIR/w/.git\"",
    ] {
        let [start, plain, deep] = seen(&stage(script));
        assert_eq!(
            [start.as_str(), &plain],
            ["", "ok git no repository"],
            "{script}"
        );
        assert!(deep.starts_with("ok git git version "), "{deep}");
    }
}

/// A linked worktree mounted alone is devcontainers/cli#796 and docker/for-win#7332.
#[test]
fn a_repository_that_is_not_in_the_container_is_reported_at_the_start() {
    let test = "a_repository_that_is_not_in_the_container_is_reported_at_the_start";
    if is_left_out(test) {
        return;
    }
    let absent = "which is not in this container; hint";
    let fix = "restore it, or remove `.git` and run `git init`";
    for (script, expected) in [
        (
            "new r; commit r; git -C \"$DIR/r\" worktree add --quiet \"$DIR/w\" -b x; mv \"$DIR/r\" \"$DIR/away\"",
            format!(
                "points to `DIR/r/.git/worktrees/w`, {absent}: docker run -v \"DIR/r/.git:DIR/r/.git\" …"
            ),
        ),
        (
            "mkdir \"$DIR/w\"; echo gitdir: ../.git/modules/w >\"$DIR/w/.git\"",
            format!(
                "points to `../.git/modules/w`, {absent}: mount the repository that it belongs to as the workspace"
            ),
        ),
        (
            "mkdir \"$DIR/w\"; echo 'gitdir: /srv/$(id)/.git/worktrees/w' >\"$DIR/w/.git\"",
            format!(
                "points to `/srv/$(id)/.git/worktrees/w`, {absent}: mount the repository that it belongs to at the path that it has on the host"
            ),
        ),
        (
            "new r; commit r; git -C \"$DIR/r\" worktree add --quiet \"$DIR/w\" -b x; echo ../../gone >\"$DIR/r/.git/worktrees/w/commondir\"",
            format!(
                "is a worktree of a repository {absent}: mount the repository that it belongs to at the path that it has on the host"
            ),
        ),
        (
            "new w; rm \"$DIR/w/.git/HEAD\"",
            format!("is not one: its `HEAD` is missing or empty; hint: {fix}"),
        ),
        (
            "new w; : >\"$DIR/w/.git/HEAD\"",
            format!("is not one: its `HEAD` is missing or empty; hint: {fix}"),
        ),
        (
            "new w; rm -r \"$DIR/w/.git/objects\"",
            format!("is not one: its `objects` is missing or empty; hint: {fix}"),
        ),
        (
            "new w; rm -r \"$DIR/w/.git/refs\"",
            format!("is not one: its `refs` is missing or empty; hint: {fix}"),
        ),
        (
            "mkdir -p \"$DIR/w/.git\"",
            format!("is not one: its `HEAD` is missing or empty; hint: {fix}"),
        ),
        (
            "mkdir \"$DIR/w\"; : >\"$DIR/w/.git\"",
            "is a file without `gitdir: PATH`; hint: restore it, or remove it and run `git init`"
                .to_owned(),
        ),
        (
            "mkdir \"$DIR/w\"; dd if=/dev/urandom of=\"$DIR/w/.git\" bs=4096 count=4 2>/dev/null",
            "is a file without `gitdir: PATH`; hint: restore it, or remove it and run `git init`"
                .to_owned(),
        ),
        (
            "new w; mkfifo \"$DIR/w/.git/commondir\"",
            format!("is not one: its `commondir` is missing or empty; hint: {fix}"),
        ),
        // Nobody waits for what writes into it.
        (
            "mkdir \"$DIR/w\"; mkfifo \"$DIR/w/.git\"",
            "is neither a folder nor a file".to_owned(),
        ),
    ] {
        let [start, plain, deep] = seen(&stage(script));
        let why = format!("git repository `DIR/w/.git` {expected}");
        assert_eq!(
            start,
            format!("agent-entrypoint: warning: {why}\n"),
            "{script}"
        );
        assert_eq!(
            [plain, deep],
            [(); 2].map(|()| format!("fail git: {why}")),
            "{script}"
        );
    }
}

/// As `sudo git …` on the host leaves it.
#[test]
fn a_repository_of_another_user_is_reported_unless_the_workspace_is_too() {
    let test = "a_repository_of_another_user_is_reported_unless_the_workspace_is_too";
    if is_left_out(test) {
        return;
    }
    let make = format!("{GIT}; new w; chmod 755 \"$DIR/w\"");
    let why = "git repository `DIR/w/.git` cannot be used: `objects`: Permission denied (errno 13); hint: on the host: `sudo chown -R 1000:1000 .git`";
    let [start, plain, _] = seen(&Stage::new(&format!("{make}; chown 1000:1000 \"$DIR/w\"")));
    assert_eq!(start, format!("agent-entrypoint: warning: {why}\n"));
    assert_eq!(plain, format!("fail git: {why}"));
    let [start, plain, _] = seen(&Stage::new(&make));
    assert!(
        start.contains("workspace `DIR/w` is not writable"),
        "{start}"
    );
    assert_eq!(start.lines().count(), 1, "{start}");
    assert_eq!(plain, "ok git DIR/w/.git");
}

#[test]
fn what_only_git_can_see_is_seen_by_deep_health() {
    let test = "what_only_git_can_see_is_seen_by_deep_health";
    if is_left_out(test) {
        return;
    }
    let git = "\"$DIR/w/.git\"";
    for (script, expected) in [
        (
            format!("new w; commit w; rm -r {git}/objects/??"),
            "bad object",
        ),
        // What a machine that went down leaves of it.
        (
            format!("new w; commit w; : >{git}/refs/heads/main"),
            "bad object refs/heads/main",
        ),
        (
            format!("new w; commit w; printf %040d 1 >{git}/HEAD"),
            "bad object HEAD",
        ),
        (
            format!("new w; echo [core >>{git}/config"),
            "bad config line",
        ),
        (
            format!("new w; echo main >{git}/HEAD"),
            "not a git repository",
        ),
        (
            "new w; git -C \"$DIR/w\" config core.repositoryformatversion 9".to_owned(),
            "Expected git repo version",
        ),
        (
            format!("new w; commit w; printf '%060d' 0 >{git}/index"),
            "index file corrupt",
        ),
    ] {
        let [start, plain, deep] = seen(&stage(&script));
        assert_eq!(
            [start.as_str(), &plain],
            ["", "ok git DIR/w/.git"],
            "{script}"
        );
        assert!(
            deep.starts_with("fail git: git cannot open the repository: fatal: "),
            "{script}: {deep}"
        );
        assert!(deep.contains(expected), "{script}: {deep}");
    }
}

/// Each setting of a repository that makes some git command execute something, and the files that Node,
/// Bun (which Claude Code is built with) and npm read where they begin: each would leave a mark.
#[test]
fn nothing_that_lies_in_the_workspace_is_executed() {
    let test = "nothing_that_lies_in_the_workspace_is_executed";
    if is_left_out(test) {
        return;
    }
    let script = r##"new w; commit w; cd "$DIR/w"
        mark() { printf '#!/bin/sh\n: >"%s/%s"\n' "$MARKS" "$1" >"$DIR/$1.sh"; chmod 755 "$DIR/$1.sh"; echo "$DIR/$1.sh"; }
        for name in core.fsmonitor core.pager core.editor core.sshCommand core.askPass core.gitProxy core.alternateRefsCommand \
            diff.external diff.x.command diff.x.textconv filter.x.clean filter.x.smudge filter.x.process credential.helper \
            gpg.program gpg.ssh.program sequence.editor merge.x.driver uploadpack.packObjectsHook pager.rev-list pager.version \
            interactive.diffFilter trace2.eventTarget sendemail.toCmd; do
            git config "$name" "$(mark "$name")"
        done
        git config alias.rev-list "!$(mark alias)"; git config alias.version "!$(mark alias-version)"
        git config log.showSignature true; git config core.untrackedCache true
        git config extensions.partialClone origin; git config core.repositoryformatversion 1
        git config remote.origin.promisor true; git config protocol.allow always; git config protocol.ext.allow always
        git config remote.origin.url "ext::$(mark ext)"
        mkdir -p "$DIR/hooks"; git config core.hooksPath "$DIR/hooks"
        for hook in pre-commit post-checkout post-index-change reference-transaction pre-auto-gc fsmonitor-watchman; do
            cp "$(mark "$hook")" "$DIR/hooks/$hook"; cp "$DIR/hooks/$hook" ".git/hooks/$hook"
        done
        echo '* filter=x diff=x merge=x' >.gitattributes
        echo 'preload = ["./preload.js"]' >bunfig.toml
        echo "require('fs').writeFileSync('$MARKS/preload', '')" >preload.js
        printf 'NODE_OPTIONS=--require=./preload.js\nBUN_OPTIONS=--preload=./preload.js\nGIT_EXTERNAL_DIFF=%s\n' "$(mark env)" >.env
        echo '{"type":"module","scripts":{"preinstall":"./env.sh"},"imports":{"#x":"./preload.js"}}' >package.json
        echo 'node-options=--require=./preload.js' >.npmrc
        for name in node claude git sh; do cp "$(mark "program-$name")" "$name"; done"##;
    for broken in [":", "rm -r .git/objects/??"] {
        let (stage, marks) = (stage(&format!("{script}; {broken}")), folder());
        let set = |command: &mut Command| {
            command.env("WORKSPACE", stage.path().join("w"));
            command.env("MARKS", marks.path());
            // A relative folder of PATH is one of `/`.
            let path = format!(".:{}", path_of(command));
            command.env("PATH", path);
        };
        stage.start(set);
        for deep in [false, true] {
            let line = stage.health("git", deep, set);
            let is_well = broken == ":" || !deep;
            assert_eq!(line.starts_with("ok git"), is_well, "{line}");
        }
        assert_eq!(names(marks.path()), [""; 0], "{broken}");
    }
    // Whoever uses the workspace without care leaves marks.
    let (stage, marks) = (stage(&format!("{script}; git status >&2")), folder());
    let mut careless = stage.entrypoint(As::Ordinary, &["true"]);
    run(careless.env("MARKS", marks.path()));
    let left = names(marks.path());
    assert!(left.contains(&"core.fsmonitor".to_owned()), "{left:?}");
}

fn path_of(command: &Command) -> String {
    let mut variables = command.get_envs();
    let path = variables.find_map(|(name, value)| (name == "PATH").then_some(value?));
    path.unwrap().to_str().unwrap().to_owned()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}
