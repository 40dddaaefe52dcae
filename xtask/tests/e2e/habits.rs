//! What agents do on any Linux: it works in the sandbox, too.

use std::fs;

use serde_json::Value;

use crate::common::Ran;
use crate::verify;
use crate::world::{Container, docker, image, inspect, unique_name, workspace, xtask};

/// Runs a script in the workspace.
fn sh(container: &Container, script: &str) -> Ran {
    container.exec(&["sh", "-ec", script])
}

/// Fails unless each script prints the text beside it, and nothing on stderr.
#[track_caller]
fn all_print(container: &Container, table: &[(&str, &str)]) {
    for (script, expected) in table {
        let ran = sh(container, script);
        let seen = (ran.code, ran.stdout.as_str(), ran.stderr.as_str());
        assert_eq!(seen, (Some(0), *expected, ""), "{script}");
    }
}

/// A package with a program, as `npm pack` makes it: no registry is needed to install it.
const PACK: &str = r#"mkdir -p tool app
echo '{"name":"tool","version":"1.0.0","bin":"tool.js"}' >tool/package.json
printf '#!/usr/bin/env node\nconsole.log("it runs")\n' >tool/tool.js
npm pack --silent ./tool >/dev/null
echo '{"name":"app","devDependencies":{"tool":"file:../tool-1.0.0.tgz"}}' >app/package.json"#;

#[test]
fn the_servers_sandbox_does_what_agents_expect() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    sh(&container, PACK).succeeded();
    npm_installs_what_tests_need(&container);
    programs_run_from_the_workspace(&container);
    all_print(&container, &TIME_ZONES);
    all_print(&container, &GNU);
    git_has_an_identity_that_any_other_overrides(&container);
}

/// The server sets `NODE_ENV=production`.
fn npm_installs_what_tests_need(container: &Container) {
    let install = "cd app; npm install --offline --silent; ls node_modules";
    let again = "cd app; npm ci --offline --silent; ls node_modules; npx --offline tool";
    let without = "cd app; npm ci --offline --silent --include=prod --omit=dev; ls node_modules";
    all_print(
        container,
        &[
            ("npm config get include", "dev\n"),
            (install, "tool\n"),
            (again, "tool\nit runs\n"),
            (without, ""),
            ("npm prefix --global", "/opt/npm-global\n"),
            ("npm ls --global --parseable", "/opt/npm-global/lib\n"),
        ],
    );
}

/// HOME and /tmp are noexec: docs/sandbox.md has the remedies.
fn programs_run_from_the_workspace(container: &Container) {
    let npx = "npx --offline --yes --package=./tool-1.0.0.tgz tool";
    let ran = sh(container, npx);
    assert_eq!(ran.code, Some(126), "{ran:#?}");
    let moved = format!("export NPM_CONFIG_CACHE=/workspace/.cache/npm; {npx}");
    let global = "export NPM_CONFIG_PREFIX=/workspace/.cache/npm-global; \
                  npm install --global --offline --silent ./tool-1.0.0.tgz; \
                  /workspace/.cache/npm-global/bin/tool";
    // A folder that ignores itself stays out of the repository around it.
    let ignored = "mkdir -p .cache; echo '*' >.cache/.gitignore; git init --quiet; \
                   git status --porcelain .cache; rm -r .git";
    all_print(
        container,
        &[(&moved, "it runs\n"), (global, "it runs\n"), (ignored, "")],
    );
    let read_only = sh(container, "npm install --global --offline ./tool-1.0.0.tgz");
    assert_ne!(read_only.code, Some(0), "{read_only:#?}");
    assert!(
        read_only.stderr.contains("/opt/npm-global"),
        "{read_only:#?}"
    );
}

const TIME_ZONES: [(&str, &str); 4] = [
    (
        "TZ=Europe/Berlin date -d @0 '+%F %H:%M %Z'",
        "1970-01-01 01:00 CET\n",
    ),
    ("TZ=Asia/Tokyo node -p 'new Date(0).getHours()'", "9\n"),
    (
        "TZ=America/New_York python3 -c 'import time; print(time.localtime(0).tm_hour)'",
        "19\n",
    ),
    (
        "python3 -c 'import datetime, zoneinfo
print(datetime.datetime.fromtimestamp(0, zoneinfo.ZoneInfo(\"Europe/Berlin\")))'",
        "1970-01-01 01:00:00+01:00\n",
    ),
];

/// What busybox lacks, in the form that scripts use.
const GNU: [(&str, &str); 13] = [
    ("echo abc | grep -oP 'a(?=b)'", "a\n"),
    (
        "grep -rl --include=package.json --exclude-dir=app name tool app",
        "tool/package.json\n",
    ),
    (
        "find tool -name tool.js -printf '%f %m\\n'",
        "tool.js 644\n",
    ),
    ("printf 'a,b' | xargs -d , echo", "a b\n"),
    ("date -u -d '2026-01-01 yesterday' +%F", "2025-12-31\n"),
    ("printf abcd >size; stat --format '%s %a' size", "4 644\n"),
    ("realpath --relative-to=/usr /usr/bin/env", "bin/env\n"),
    (
        "printf x | sha256sum | sed s,-,size, >sums; sha256sum --check --status sums || echo differs",
        "differs\n",
    ),
    (
        "printf 'b\\na\\n' >before; sort before >after; diff -u before after | patch -s before || true; cat before",
        "a\nb\n",
    ),
    // tree-kill, which concurrently and many others use, calls ps in this form (pkrumins/node-tree-kill).
    (
        "sleep 9 & ps -o pid --no-headers --ppid $$ | grep -cw $!; kill $!",
        "1\n",
    ),
    ("ps -eo pid,comm | grep -c ' agent-entrypoin'", "1\n"),
    ("pgrep -o .", "1\n"),
    ("ssh -TG git@example.invalid | grep '^user '", "user git\n"),
];

fn git_has_an_identity_that_any_other_overrides(container: &Container) {
    let commit =
        "git -C repo commit --quiet --allow-empty --message x; git -C repo log -1 --format";
    let own = format!("git init repo >/dev/null; {commit}='%an <%ae> %D'");
    let of_user = format!(
        "git config --global user.name Me; git config --global user.email me@example.com; {commit}='%an <%ae>'"
    );
    let of_repository = format!("git -C repo config user.name Us; {commit}='%an <%ae>'");
    let of_environment = format!("export GIT_AUTHOR_NAME=Env; {commit}='%an, %cn'");
    all_print(
        container,
        &[
            (
                &own,
                "AgentGate agent <agent@agentgate.invalid> HEAD -> main\n",
            ),
            (&of_user, "Me <me@example.com>\n"),
            (&of_repository, "Us <me@example.com>\n"),
            (&of_environment, "Env, Us\n"),
        ],
    );
}

/// The server's default: the host's Claude Code and its folder bound into the image's own HOME.
#[test]
fn with_the_hosts_claude_the_home_stays_the_agents() {
    let (workspace, folder) = (workspace(), workspace());
    let claude = folder.path().join("claude-program");
    fs::write(&claude, "#!/bin/sh\necho the host\n").unwrap();
    let container = Container::start_mounted(workspace.path(), &claude, folder.path());
    sh(&container, PACK).succeeded();
    let owners = "cd; stat --format '%u:%g %a %n' . .cache .config .local .local/bin .local/share .local/state";
    let shadow = "printf '#!/bin/sh\\n' >~/.local/bin/git; chmod +x ~/.local/bin/git; \
                  command -v git; command -v claude";
    all_print(
        &container,
        &[
            (
                owners,
                "1000:1000 1777 .\n1000:1000 755 .cache\n1000:1000 755 .config\n1000:1000 755 .local\n\
                 1000:1000 755 .local/bin\n1000:1000 755 .local/share\n1000:1000 755 .local/state\n",
            ),
            (
                "mkdir ~/.local/share/x ~/.local/state/x ~/.config/x; touch ~/.claude/x",
                "",
            ),
            (
                "npm install --global --offline --silent ./tool-1.0.0.tgz; tool",
                "it runs\n",
            ),
            (
                "npx --offline --yes --package=./tool-1.0.0.tgz tool",
                "it runs\n",
            ),
            (shadow, "/usr/bin/git\n/usr/local/bin/claude\n"),
        ],
    );
    assert!(folder.path().join("x").exists());
}

#[test]
fn the_user_is_a_number_with_a_name() {
    let config = &inspect(image())["Config"];
    assert_eq!(config["User"], "1000:1000");
    let who = docker(&["run", "--rm", image(), "id", "-un"]).succeeded();
    assert_eq!(who.stdout, "agentgate\n");
    let env = config["Env"].to_string();
    assert!(!env.contains("YARN_VERSION=1"), "{env}");
}

#[test]
#[ignore = "builds the image five times: `cargo xtask test --all`"]
fn extra_packages_are_installed_labelled_and_judged() {
    image();
    let name = format!("e2e-extra-{}", unique_name());
    let build = |packages: &str| {
        let packages = format!("EXTRA_PACKAGES={packages}");
        let args = ["image", "--json", "--progress", "plain", "--tag", &name];
        Ran::of(&mut xtask(
            &[&args[..], &["--build-arg", &packages]].concat(),
        ))
    };
    for (packages, bad) in [
        ("make=4.3", "make=4.3"),
        ("make --root", "--root"),
        ("Make", "Make"),
    ] {
        let ran = build(packages);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        let said = format!("EXTRA_PACKAGES names '{bad}', which is not a package name");
        assert!(ran.stderr.contains(&said), "{ran:#?}");
    }
    let ran = build("no-such-package");
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    assert!(ran.stderr.contains("no-such-package"), "{ran:#?}");

    let report: Value = serde_json::from_str(&build(" make ").succeeded().stdout).unwrap();
    let reference = report["references"][0].as_str().unwrap();
    let labels = &inspect(reference)["Config"]["Labels"];
    assert_eq!(labels["io.agentgate.extra-packages"], " make ", "{labels}");
    let make = docker(&["run", "--rm", reference, "make", "--version"]).succeeded();
    assert!(make.stdout.starts_with("GNU Make"), "{make:#?}");
    verify::prove_with(
        reference,
        &["--only", "agent-packages,hardening-build-tools"],
    );
    docker(&["image", "rm", reference]).succeeded();
}
