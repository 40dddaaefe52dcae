//! With a fake npm: its command lines, and what it does wrong.

use std::fs;

use serde_json::{Value, json};

use super::npm_registry::integrity;
use super::{ARCHES, is_untouched, pins, program, sandbox, update};
use crate::registry::{Content, Registry};
use crate::sandbox::Sandbox;

/// `view` prints the file `view`; `install` copies the locks of the repository for `$version`, and does what the file
/// `wrong` says in the folder.
const NPM: &str = r#"echo "$*" >>"$here/calls"
[ "$1" = install ] || exec cat "$here/view"
for last; do :; done
version=${last##*@}
case $last in *x64*) arch=amd64 ;; *) arch=arm64 ;; esac
for name in package.json package-lock.json; do
    sed -E "s/1\.0\.0/$version/; s|sha512-[^\"]*|HASH|" "docker/claude/$arch/$name" >"$3/made"
    mv "$3/made" "$3/$name"
done
cd "$3"
. "$here/wrong"
"#;

/// Two versions, of which the newer has this hash and is deprecated for this reason.
fn view(integrity: &str, deprecated: &str) -> String {
    let version = |version: &str| {
        json!({
            "version": version, "dist": {"integrity": integrity}, "deprecated": deprecated,
            "dist-tags": {"latest": "1.0.1"}, "time": {version: "2020-01-01T00:00:00Z"},
        })
    };
    json!([version("1.0.0"), version("1.0.1")]).to_string()
}

pub(super) fn world() -> Sandbox {
    let sandbox = sandbox("1.0.0");
    let hash = integrity("1.0.1");
    program(&sandbox, "npm", &NPM.replace("HASH", &hash));
    sandbox.write("bin/view", &view(&hash, ""));
    sandbox.write("bin/wrong", "");
    sandbox
}

#[test]
fn npm_is_told_what_the_configuration_might_have_otherwise() {
    let sandbox = world();
    let ran = update(&sandbox, &["--json"]).succeeded();
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(report["schema"], 2);
    let moving = ["what", "from", "to"].map(|field| report["moves"][0][field].clone());
    assert_eq!(moving, ["Claude Code", "1.0.0", "1.0.1"]);
    assert_eq!([&report["moved"], &report["committed"]], [true, false]);
    let locks = ARCHES.map(|(arch, _)| {
        ["package.json", "package-lock.json"].map(|name| format!("docker/claude/{arch}/{name}"))
    });
    assert_eq!(report["files"], json!(locks.concat()));
    assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    let records = fs::canonicalize(sandbox.path("work/target/xtask/update")).unwrap();
    let calls = sandbox
        .read("bin/calls")
        .replace(records.to_str().unwrap(), "RECORDS");
    let views = ARCHES.map(|(_, cpu)| {
        format!("view @anthropic-ai/claude-code-linux-{cpu}-musl@>=1.0.0 --json version dist deprecated dist-tags time\n")
    });
    let installs = ARCHES.map(|(arch, cpu)| {
        format!(
            "install --prefix RECORDS/scratch/{arch} --package-lock-only --save-prod --save-exact --force --ignore-scripts \
             --omit-lockfile-registry-resolved --lockfile-version=3 --no-audit --no-fund --os=linux --libc=musl \
             --cpu={cpu} @anthropic-ai/claude-code-linux-{cpu}-musl@1.0.1\n"
        )
    });
    assert_eq!(calls, [views, installs].concat().concat());
    let ran = update(&sandbox, &[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains(
        "the tree differs from the commit: `docker/claude/amd64/package-lock.json` and 3"
    ));
}

#[test]
fn whatever_npm_does_wrong_nothing_is_changed() {
    for (wrong, why) in [
        (
            "echo 'npm error ENOSPC' >&2; exit 228",
            "`npm install` failed: npm error ENOSPC",
        ),
        ("kill -9 $$", "`npm install` failed"),
        ("rm package-lock.json", "npm wrote no `package-lock.json`"),
        // It ends well, without the hash (npm/cli#6301).
        (
            "sed -i /integrity/d package-lock.json",
            "another hash than the registry gave, or none",
        ),
        (
            "sed -i 's/-musl/-gnu/' package-lock.json",
            "the lock lacks the package",
        ),
        (
            "sed -i 's|\"integrity\"|\"resolved\": \"https://a.example\", &|' package-lock.json",
            "names a registry",
        ),
    ] {
        let sandbox = world();
        sandbox.write(
            "bin/wrong",
            &format!("[ $arch = amd64 ] || {{ {wrong}; }}\n"),
        );
        let ran = update(&sandbox, &["--commit"]);
        assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{wrong}: {ran:#?}");
        assert!(
            ran.stderr
                .contains("for arm64 that may take its place; nothing was changed"),
            "{ran:#?}"
        );
        assert!(ran.stderr.contains(why), "{why}: {ran:#?}");
        is_untouched(&sandbox);
        // What it left is no hindrance.
        sandbox.write("bin/wrong", "");
        update(&sandbox, &["--commit"]).succeeded();
        assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    }
}

#[test]
fn what_nobody_should_move_to_is_passed_over_and_refused_by_name() {
    let sandbox = world();
    let shown = "npm marks it as deprecated: it \\u{1b}[2J deletes ::files::";
    sandbox.write(
        "bin/view",
        &view(&integrity("1.0.1"), "it \u{1b}[2J deletes\n::files::"),
    );
    let ran = update(&sandbox, &[]).succeeded();
    assert_eq!(ran.stdout, "Claude Code: current (1.0.0)\n");
    assert!(
        ran.stderr.contains(&format!(
            "note: Claude Code: 1.0.1 is passed over: {shown}\n"
        )),
        "{ran:#?}"
    );
    let ran = update(&sandbox, &["--claude", "1.0.1"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("Claude Code 1.0.1 is not moved to: npm marks it as deprecated"),
        "{ran:#?}"
    );
    is_untouched(&sandbox);
}

#[test]
fn a_hook_that_refuses_leaves_both_locks_moved_and_says_so() {
    let sandbox = world();
    fs::create_dir_all(sandbox.path("work/.git/hooks")).unwrap();
    program(&sandbox, "../work/.git/hooks/pre-commit", "exit 1\n");
    let ran = update(&sandbox, &["--commit"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("the pins are moved, but not committed; hint:"),
        "{ran:#?}"
    );
    assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    assert_eq!(sandbox.git(&["diff", "--cached", "--name-only"]), "");
}

#[test]
fn a_registry_that_cannot_be_asked_is_a_row_and_without_npm_nothing_is_current() {
    let sandbox = world();
    let answers = vec![("manifests/1".to_owned(), "403 Forbidden", "{}")];
    let registry = Registry::with(Content {
        answers,
        ..Content::default()
    });
    sandbox.write(
        "work/docker/Dockerfile.agent",
        &format!("FROM {}:1\n", registry.name()),
    );
    let ran = update(&sandbox, &["--check"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(
        ran.stdout
            .contains("/me/agent:1: its registry could not be asked: "),
        "{ran:#?}"
    );

    program(&sandbox, "npm", "echo 'npm error network' >&2; exit 1\n");
    let ran = update(&sandbox, &["--check"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stdout
            .contains("note: Claude Code: npm could not be asked: "),
        "{ran:#?}"
    );
    assert!(
        ran.stderr.contains(
            "it is not known whether this is behind:\nClaude Code: npm could not be asked: "
        ),
        "{ran:#?}"
    );

    fs::remove_file(sandbox.path("bin/npm")).unwrap();
    let ran = update(&sandbox, &["--dry-run"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("there is no `npm` on PATH; hint: install Node.js"),
        "{ran:#?}"
    );
    let ran = sandbox.run(&["doctor"]).succeeded();
    assert!(
        ran.stdout.contains("warning  there is no `npm` on PATH"),
        "{ran:#?}"
    );
}

#[test]
fn what_a_killed_run_has_left_is_undone_by_the_next() {
    let sandbox = world();
    let records = "work/target/xtask/update";
    let [moved, next] = ["arm64", "amd64"].map(|arch| format!("docker/claude/{arch}/package.json"));
    fs::create_dir_all(sandbox.path(&format!("{records}/new/docker/claude/arm64"))).unwrap();
    sandbox.write(&format!("{records}/moving"), &format!("{moved}\n{next}\n"));
    for folder in [&format!("{records}/new"), "work"] {
        sandbox.write(&format!("{folder}/{moved}"), "{}");
    }
    sandbox.write(&format!("work/{next}.new"), "{");
    let ran = update(&sandbox, &["--commit"]).succeeded();
    assert!(
        ran.stderr
            .starts_with("note: an update was cut off half-way; it is undone\n"),
        "{ran:#?}"
    );
    assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
}
