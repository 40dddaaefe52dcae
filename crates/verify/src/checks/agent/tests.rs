//! What commands print, and the good image, broken in one place at a time.

use xtask::oci::Process;

use super::CHECKS;
use super::commands::{dev_dependencies, git_identity, gnu_tools, judge_global_install};
use super::packages::DEFAULT;
use crate::checks::fixture::{
    self, add, change, folder, good, line, owned, ran, remove, symlink, text,
};
use crate::facts::ImageFacts;

const SYSTEM: usize = 1;

fn said(id: &str, facts: &ImageFacts) -> String {
    fixture::said(CHECKS, id, facts)
}

fn said_with(id: &str, change: impl FnOnce(&mut Process)) -> String {
    fixture::said_with(CHECKS, id, change)
}

#[test]
fn a_command_prints_what_is_expected_and_nothing_else() {
    let expected = good().expected;
    let table = [
        (0, "tool\n", "", "passed: tool"),
        (0, "", "", "failed: nothing"),
        (0, "tool\nother\n", "", "failed: `tool`, `other`"),
        (0, "tool\n", "npm warn x\n", "failed: exit 0, `npm warn x`"),
        (1, "tool\n", "", "failed: exit 1, `tool`"),
    ];
    for (code, stdout, stderr, text) in table {
        let verdict = dev_dependencies(&expected, &ran(code, stdout, stderr));
        assert_eq!(line(verdict), text);
    }
    let hint = "hint: Using 'master' as the name\n";
    let identity = "AgentGate agent <agent@agentgate.invalid>";
    let stdout = format!("{identity}, {identity}\nSomebody\nOther\n");
    let verdict = |stderr| line(git_identity(&expected, &ran(0, &stdout, stderr)));
    assert!(verdict("").starts_with("passed"));
    assert!(verdict(hint).starts_with("failed"));
}

#[test]
fn each_tool_that_is_wrong_is_named() {
    let expected = good().expected;
    let busybox = "grep -P: grep: unrecognized option: P\nssh: sh: ssh: not found\n";
    let text = line(gnu_tools(&expected, &ran(0, busybox, "")));
    assert_eq!(
        text,
        "failed: `grep -P: grep: unrecognized option: P`, `ssh: sh: ssh: not found`"
    );
    assert!(line(gnu_tools(&expected, &ran(0, "", ""))).starts_with("passed"));
    let broken = ran(1, "", "sh: out of memory\n");
    assert!(line(gnu_tools(&expected, &broken)).starts_with("failed"));
}

#[test]
fn a_global_install_runs_and_hides_no_program_of_the_image() {
    let stdout = "it runs\n/usr/bin/git\n/usr/local/bin/claude\n";
    let text = |ran| line(judge_global_install(&ran));
    assert!(text(ran(0, stdout, "")).starts_with("passed"));
    let denied = "mkdir: cannot create directory '.local/share/x': Permission denied\n";
    let expected = format!("failed: exit 1, `{}`", denied.trim());
    assert_eq!(text(ran(1, "", denied)), expected);
    let shadowed = stdout.replace("/usr/bin/git", "/home/agentgate/.local/bin/git");
    assert!(text(ran(0, &shadowed, "")).starts_with("failed"));
}

#[test]
fn the_folders_of_the_home_are_the_agents() {
    let id = "agent-home-folders";
    assert_eq!(said(id, &good()), "passed: 8 folders");
    let mut facts = good();
    change(&mut facts, "home/agentgate/.local", |entry| entry.uid = 0);
    change(&mut facts, "home/agentgate/.claude", |entry| {
        entry.mode = 0o755;
    });
    remove(&mut facts, "home/agentgate/.cache");
    add(
        &mut facts,
        SYSTEM,
        symlink("home/agentgate/.config", "/tmp"),
    );
    assert_eq!(
        said(id, &facts),
        "failed: `/home/agentgate/.cache`: absent, `/home/agentgate/.claude`: 1000:1000, 0755, \
         `/home/agentgate/.config`: no folder, `/home/agentgate/.local`: 0:1000, 0755"
    );
}

#[test]
fn the_global_prefix_is_a_folder_that_nothing_hides() {
    let id = "agent-npm-prefix";
    assert_eq!(said(id, &good()), "passed: /opt/npm-global");
    for (prefix, text) in [
        (
            "/home/agentgate/.npm-global",
            "`/home/agentgate/.npm-global`",
        ),
        ("/tmp/npm", "`/tmp/npm`"),
        (
            "/usr/local",
            "/usr/local/bin, /usr/local/lib, /usr/local/lib/node_modules",
        ),
    ] {
        let pair = format!("NPM_CONFIG_PREFIX={prefix}");
        let seen = said_with(id, |process| process.env = vec![pair]);
        assert_eq!(seen, format!("failed: {text}"));
    }
    let none = said_with(id, |process| process.env.clear());
    assert_eq!(none, "failed: no NPM_CONFIG_PREFIX");
    let mut facts = good();
    change(&mut facts, "opt/npm-global/lib", |entry| entry.uid = 0);
    assert_eq!(said(id, &facts), "failed: /opt/npm-global/lib");
}

#[test]
fn nothing_of_the_agents_comes_before_the_images_own_in_path() {
    let id = "agent-path";
    assert_eq!(said(id, &good()), "passed: the last 2 of 8");
    let own = "/home/agentgate/.local/bin:/opt/npm-global/bin";
    for (path, text) in [
        (
            "/usr/bin",
            "no `/home/agentgate/.local/bin`, no `/opt/npm-global/bin`".to_owned(),
        ),
        (
            &format!("{own}:/usr/bin"),
            "`/usr/bin` behind `/home/agentgate/.local/bin`".to_owned(),
        ),
        (
            &format!(":/usr/bin:{own}"),
            "`/usr/bin` behind ``".to_owned(),
        ),
        (
            &format!("node_modules/.bin:/bin:{own}"),
            "`/bin` behind `node_modules/.bin`".to_owned(),
        ),
        (
            &format!("/workspace/bin:/bin:{own}"),
            "`/bin` behind `/workspace/bin`".to_owned(),
        ),
    ] {
        let seen = said_with(id, |process| process.env[0] = format!("PATH={path}"));
        assert_eq!(seen, format!("failed: {text}"), "{path}");
    }
    let mut facts = good();
    add(&mut facts, SYSTEM, owned(folder("usr/sbin", 0o755), 1000));
    let text = "failed: `/usr/bin` behind `/usr/sbin`, `/sbin` behind `/usr/sbin`, `/bin` behind `/usr/sbin`";
    assert_eq!(said(id, &facts), text);
}

#[test]
fn a_version_belongs_to_a_program() {
    let id = "agent-tool-versions";
    assert_eq!(said(id, &good()), "passed: 1 version");
    let yarn = said_with(id, |process| {
        process.env.push("YARN_VERSION=1.22.22".to_owned());
    });
    assert_eq!(yarn, "failed: `YARN_VERSION=1.22.22`, but no `yarn`");
    for other in ["_VERSION=1", "VERSION=1", "no equals sign", "GIT_VERSION=2"] {
        let said = said_with(id, |process| process.env.push(other.to_owned()));
        assert!(said.starts_with("passed"), "{other}: {said}");
    }
}

#[test]
fn the_packages_are_those_of_the_label() {
    let id = "agent-packages";
    let label = "io.agentgate.extra-packages";
    assert_eq!(said(id, &good()), "passed: 12 packages");
    let none = said_with(id, |process| drop(process.labels.remove(label)));
    assert_eq!(none, format!("failed: no label `{label}`"));

    let with = |world: &str, extra: &str| {
        let mut facts = good();
        let default = DEFAULT.join("\n");
        let world = format!("alpine-baselayout\n{default}\n{world}\n");
        add(&mut facts, SYSTEM, text("etc/apk/world", &world));
        let labels = &mut facts.image.config.config.labels;
        labels.insert(label.to_owned(), extra.to_owned());
        said(id, &facts)
    };
    assert_eq!(
        with("make\nfile", " make  file "),
        "passed: 14 packages, make, file by EXTRA_PACKAGES"
    );
    assert_eq!(with("make", ""), "failed: `make`");
    assert_eq!(with("", "make"), "failed: no `make`");
    // One of the base, or a default one, may be named as well.
    assert!(with("", "alpine-baselayout git").starts_with("passed"));
    let mut facts = good();
    add(&mut facts, SYSTEM, text("etc/apk/world", "git\n"));
    assert!(said(id, &facts).starts_with("failed: no `bash`"));
    remove(&mut facts, "etc/apk/world");
    assert_eq!(said(id, &facts), "failed: no `/etc/apk/world`");
}

#[test]
fn the_dockerfile_installs_the_same_packages() {
    let dockerfile = include_str!("../../../../../docker/Dockerfile.agent");
    let (_, rest) = dockerfile.split_once("apk add --no-cache ").unwrap();
    let (names, _) = rest.split_once(" $EXTRA_PACKAGES").unwrap();
    let names = names.replace('\\', " ");
    let mut names: Vec<&str> = names.split_whitespace().collect();
    names.sort_unstable();
    assert_eq!(names, DEFAULT);
}
