//! With a fake npm: its command lines, and what it does wrong.

use std::fs;

use super::{is_untouched, npm_registry, pins, program, sandbox};
use crate::common::{Ran, set_author};
use crate::registry::{Content, Registry};
use crate::sandbox::{Sandbox, digest};

/// Answers `view` from the file `view`, and `install` as the file `install` says: it is run with `$to`, the folder,
/// `$cpu` and `$version`.
const NPM: &str = r#"echo "$*" >>"$here/calls"
case $1 in
view)
    cpu=${2#*linux-}
    sed "s/CPU/${cpu%%-*}/" "$here/view" ;;
install)
    to=$3
    for last; do :; done
    version=${last##*@} cpu=${last#*linux-}
    cpu=${cpu%%-*}
    . "$here/install" ;;
esac
"#;

/// What npm should write: the locks of the repository, for another version.
const GOOD: &str = r#"case $cpu in x64) arch=amd64 hash=HASH-x64 ;; *) arch=arm64 hash=HASH-arm64 ;; esac
for name in package.json package-lock.json; do
    sed -E "s/1\.0\.0/$version/; s|sha512-[^\"]*|$hash|" "docker/claude/$arch/$name" >"$to/$name.made"
    mv "$to/$name.made" "$to/$name"
done
"#;

fn good() -> String {
    let hash = |cpu: &str| npm_registry::integrity("1.0.1", cpu);
    GOOD.replace("HASH-x64", &hash("x64"))
        .replace("HASH-arm64", &hash("arm64"))
}

/// One version, 1.0.1, with a deprecation and a hash where they are given.
fn view(deprecated: &str, integrity: &str) -> String {
    format!(
        r#"[{{"version":"1.0.0","dist":{{"integrity":"{integrity}"}}}},{{"version":"1.0.1","dist":{{"integrity":"{integrity}"}},
        "deprecated":"{deprecated}","dist-tags":{{"latest":"1.0.1"}},"time":{{"1.0.1":"2020-01-01T00:00:00Z"}}}}]"#
    )
}

fn world() -> Sandbox {
    let sandbox = sandbox("1.0.0");
    program(&sandbox, "npm", NPM);
    // The hash is of both architectures alike here: `GOOD` must write the same.
    let hash = npm_registry::integrity("1.0.1", "x64");
    sandbox.write("bin/view", &view("", &hash));
    sandbox.write(
        "bin/install",
        &good().replace(&npm_registry::integrity("1.0.1", "arm64"), &hash),
    );
    sandbox
}

fn update(sandbox: &Sandbox, args: &[&str]) -> Ran {
    let mut command = sandbox.xtask(&[&["update"], args].concat());
    set_author(&mut command);
    Ran::of(&mut command)
}

#[test]
fn npm_is_asked_and_told_what_the_configuration_might_say_otherwise() {
    let sandbox = world();
    let ran = update(&sandbox, &["--json"]).succeeded();
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (&report["from"], &report["to"]),
        (&"1.0.0".into(), &"1.0.1".into())
    );
    assert_eq!(
        (&report["moved"], &report["committed"]),
        (&true.into(), &false.into())
    );
    assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    let records = fs::canonicalize(sandbox.path("work"))
        .unwrap()
        .join("target/xtask/update");
    let calls = sandbox
        .read("bin/calls")
        .replace(records.to_str().unwrap(), "RECORDS");
    let view = |cpu: &str| {
        format!(
            "view @anthropic-ai/claude-code-linux-{cpu}-musl@>=1.0.0 --json version dist deprecated dist-tags time\n"
        )
    };
    let install = |arch: &str, cpu: &str| {
        format!(
            "install --prefix RECORDS/new/{arch} --package-lock-only --save-prod --save-exact --force --ignore-scripts \
             --omit-lockfile-registry-resolved --lockfile-version=3 --no-audit --no-fund --os=linux --cpu={cpu} \
             --libc=musl @anthropic-ai/claude-code-linux-{cpu}-musl@1.0.1\n"
        )
    };
    let expected = [
        view("x64"),
        view("arm64"),
        install("amd64", "x64"),
        install("arm64", "arm64"),
    ];
    assert_eq!(calls, expected.concat());
    assert!(!records.join("new").exists());
    // Both differ now, so that another move is refused.
    let ran = update(&sandbox, &[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("nothing was moved: the tree differs from the commit"),
        "{ran:#?}"
    );
}

#[test]
fn whatever_npm_does_wrong_nothing_is_changed() {
    let arm64 = |script: &str| {
        format!(
            "{}\n[ $cpu = x64 ] || {{ {script} }}\n",
            world().read("bin/install")
        )
    };
    for (install, why) in [
        (
            "echo 'npm error ENOSPC' >&2; exit 228".to_owned(),
            "for amd64 that may take its place",
        ),
        (
            arm64("echo 'npm error ENOSPC' >&2; exit 228;"),
            "`npm install` failed: npm error ENOSPC",
        ),
        (arm64("kill -9 $$;"), "for arm64 that may take its place"),
        (
            arm64("rm \"$to/package-lock.json\";"),
            "npm wrote no `package-lock.json`",
        ),
        // It ends well, without the hash (npm/cli#6301).
        (
            arm64("sed -i /integrity/d \"$to/package-lock.json\";"),
            "the lock has no SHA-512",
        ),
        (
            arm64("sed -i 's/-musl/-gnu/' \"$to/package-lock.json\";"),
            "the lock lacks the package for arm64",
        ),
        (
            arm64(
                "sed -i 's|\"integrity\"|\"resolved\": \"https://npm.example/a.tgz\", &|' \"$to/package-lock.json\";",
            ),
            "the lock names a registry",
        ),
        (
            arm64("sed -i 's/1.0.1/1.0.2/' \"$to/package-lock.json\";"),
            "something else than the manifest",
        ),
        (
            arm64("echo '<html>' >\"$to/package-lock.json\";"),
            "the lock is not JSON",
        ),
    ] {
        let sandbox = world();
        sandbox.write("bin/install", &install);
        let ran = update(&sandbox, &["--commit"]);
        assert_eq!(
            (ran.code, &*ran.stdout),
            (Some(1), ""),
            "{install}: {ran:#?}"
        );
        assert!(ran.stderr.contains(why), "{why}: {ran:#?}");
        assert!(ran.stderr.contains("nothing was changed"), "{ran:#?}");
        is_untouched(&sandbox);
        // What it left is no hindrance.
        sandbox.write("bin/install", &world().read("bin/install"));
        update(&sandbox, &["--commit"]).succeeded();
        assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    }
}

#[test]
fn what_nobody_should_move_to_is_passed_over_or_refused() {
    let hash = npm_registry::integrity("1.0.1", "x64");
    for (answer, why) in [
        (
            view("it deletes files", &hash),
            "npm marks it as deprecated: it deletes files",
        ),
        (view("", "sha1-AAAA"), "it has no SHA-512 for amd64"),
    ] {
        let sandbox = world();
        sandbox.write("bin/view", &answer);
        let ran = update(&sandbox, &[]).succeeded();
        assert_eq!(ran.stdout, "Claude Code 1.0.0 is current\n");
        assert!(
            ran.stderr
                .contains(&format!("1.0.1 is passed over: {why}\n")),
            "{ran:#?}"
        );
        let ran = update(&sandbox, &["--claude", "1.0.1"]);
        assert_eq!(ran.code, Some(3), "{ran:#?}");
        assert!(
            ran.stderr
                .contains(&format!("1.0.1 is not moved to: {why}\n")),
            "{ran:#?}"
        );
        is_untouched(&sandbox);
    }
}

#[test]
fn what_a_registry_says_is_shown_and_not_obeyed() {
    let sandbox = world();
    let hash = npm_registry::integrity("1.0.1", "x64");
    sandbox.write("bin/view", &view("\\u001b[2J\\n::error::x", &hash));
    let ran = update(&sandbox, &["--check"]);
    assert!(
        ran.stdout.contains("deprecated: \\u{1b}[2J\\n::error::x\n"),
        "{ran:#?}"
    );
}

#[test]
fn a_hook_that_refuses_leaves_both_locks_moved_and_says_so() {
    let sandbox = world();
    fs::create_dir_all(sandbox.path("work/.git/hooks")).unwrap();
    program(
        &sandbox,
        "../work/.git/hooks/pre-commit",
        "echo no >&2; exit 1\n",
    );
    let ran = update(&sandbox, &["--commit"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("the locks are moved, but not committed; hint:"),
        "{ran:#?}"
    );
    assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    assert_eq!(sandbox.git(&["diff", "--cached", "--name-only"]), "");
}

#[test]
fn a_registry_that_cannot_be_asked_is_a_row_and_npm_an_error_besides() {
    let sandbox = world();
    let mut content = Content::default();
    content.answers = vec![("manifests/1".to_owned(), "403 Forbidden", "{}")];
    let registry = Registry::with(content);
    let from = format!("FROM {}:1@{}\n", registry.name(), digest("1"));
    sandbox.write("work/docker/Dockerfile.agent", &from);
    let ran = update(&sandbox, &["--check"]);
    assert_eq!(ran.code, Some(4), "{ran:#?}");
    assert!(
        ran.stdout
            .contains("note: base image: it could not be asked: "),
        "{ran:#?}"
    );

    program(&sandbox, "npm", "echo 'npm error network' >&2; exit 1\n");
    let ran = update(&sandbox, &["--check"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stdout.contains("Claude Code  1.0.0"), "{ran:#?}");
    assert!(
        ran.stderr
            .ends_with("npm could not be asked, so Claude Code may be behind\n"),
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
    assert!(ran.stdout.contains("\nnpm      none\n"), "{ran:#?}");
    assert!(
        ran.stdout.contains("warning  there is no `npm` on PATH"),
        "{ran:#?}"
    );
}

#[test]
fn a_base_that_moved_on_is_behind() {
    let sandbox = world();
    sandbox.write("bin/view", &view("", "").replace("1.0.1", "1.0.0"));
    let mut content = Content::default();
    let image = content.image(&serde_json::json!({}));
    content.lead("20", &image);
    let registry = Registry::with(content);
    let now = image["digest"].as_str().unwrap();
    for (pin, code) in [
        (String::new(), 0),
        (format!("@{now}"), 0),
        (format!("@{}", digest("1")), 4),
    ] {
        let from = format!("FROM {}:20{pin}\n", registry.name());
        sandbox.write("work/docker/Dockerfile.agent", &from);
        let ran = update(&sandbox, &["--check"]);
        assert_eq!(ran.code, Some(code), "{ran:#?}");
        assert_eq!(
            ran.stdout.contains("is not pinned by a digest"),
            pin.is_empty(),
            "{ran:#?}"
        );
    }
}

#[test]
fn what_a_killed_run_has_left_is_undone_by_the_next() {
    let sandbox = world();
    let path = "docker/claude/amd64/package.json";
    let old = sandbox.read(&format!("work/{path}"));
    let new = old.replace("1.0.0", "1.0.1");
    let other = "docker/claude/arm64/package.json";
    let text = sandbox.read(&format!("work/{other}"));
    let journal = serde_json::json!([
        {"path": path, "old": old, "new": new},
        {"path": other, "old": text, "new": text.replace("1.0.0", "1.0.1")},
    ]);
    fs::create_dir_all(sandbox.path("work/target/xtask/update")).unwrap();
    sandbox.write(
        "work/target/xtask/update/journal.json",
        &journal.to_string(),
    );
    sandbox.write(&format!("work/{path}"), &new);
    sandbox.write(&format!("work/{other}.new"), "{");
    let ran = update(&sandbox, &["--commit"]).succeeded();
    assert!(
        ran.stderr
            .starts_with("note: an update was cut off half-way; it is undone\n"),
        "{ran:#?}"
    );
    assert_eq!(pins(&sandbox), ["1.0.1"; 2]);
    assert_eq!(sandbox.git(&["status", "--porcelain"]), "");
}
