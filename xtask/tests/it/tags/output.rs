//! What is printed and how it ends, on the workspace itself.

use crate::sandbox::Sandbox;
use crate::tags::published::registry;
use crate::tags::{Repo, Set};

#[test]
fn the_table_has_the_tag_the_command_the_reason_and_the_reference() {
    let sandbox = Sandbox::new();
    sandbox.git(&["tag", "v0.2.13"]);
    sandbox.git(&["tag", "v0.2"]);
    let revision = sandbox.revision();
    let short = &revision[..7];
    let ran = sandbox.run(&["tags"]).succeeded();
    assert_eq!(ran.stderr, "");
    assert_eq!(
        ran.stdout,
        format!(
            "revision  {revision}\n\
             created   2026-01-02T03:04:05Z\n\
             branch    main (the default branch)\n\
             tree      clean\n\
             version   0.2.13\n\
             \n\
             tag          applied by  why                                                             reference\n\
             sha-{short}  image       the tree is HEAD's commit                                       agentgate/agent:sha-{short}\n\
             dev          image       a local build                                                   agentgate/agent:dev\n\
             v0.2.13      release     the git tag at HEAD                                             agentgate/agent:v0.2.13\n\
             latest       release     a stable version, if no higher one is published (git has none)  agentgate/agent:latest\n\
             \n\
             git tags that look like versions but are not\n\
             \u{20} v0.2: a version has three numbers, this has 2\n"
        )
    );
}

#[test]
fn a_withheld_tag_has_a_remedy() {
    let sandbox = Sandbox::new();
    for number in 0..7 {
        sandbox.write(&format!("work/file {number}"), "");
    }
    let ran = sandbox.run(&["tags"]).succeeded();
    for part in [
        "tree      dirty: file 0, file 1, file 2, file 3, file 4, … and 2 more (`--json` has all)\n",
        "version   none\n",
        "\nnot given\n  sha-",
        ": the tree differs from the commit\n    hint: `git commit` or `git stash -u` ",
    ] {
        assert!(ran.stdout.contains(part), "{part}: {}", ran.stdout);
    }
}

#[test]
fn plain_prints_only_certain_references_one_a_line() {
    let sandbox = Sandbox::new();
    sandbox.git(&["tag", "v0.2.13"]);
    let short = &sandbox.revision()[..7];
    let ran = sandbox.run(&[
        "tags",
        "--format",
        "plain",
        "--repository",
        "ghcr.io/me/agent",
    ]);
    let ran = ran.succeeded();
    assert_eq!(
        ran.stdout,
        format!("ghcr.io/me/agent:sha-{short}\nghcr.io/me/agent:dev\nghcr.io/me/agent:v0.2.13\n")
    );
    assert!(
        ran.stderr.starts_with("note: `latest` is left out: "),
        "{}",
        ran.stderr
    );
    let name = registry(&[]).name();
    let plain = ["tags", "--format", "plain", "--published", "--repository"];
    let ran = sandbox.run(&[&plain[..], &[&name]].concat()).succeeded();
    let end = format!("{name}:latest\n");
    assert!(ran.stdout.ends_with(&end), "{}", ran.stdout);
}

#[test]
fn json_has_a_schema_and_both_ways_to_ask_for_it_agree() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["tags", "--json"]).succeeded();
    let same = sandbox
        .run(&["--json", "tags", "--format", "json"])
        .succeeded();
    assert_eq!(ran.stdout, same.stdout);
    let set = Set::of(&ran);
    let fields: Vec<&String> = set.0.as_object().unwrap().keys().collect();
    assert_eq!(set.0["schema"], 2);
    assert_eq!(
        fields,
        [
            "branch",
            "created",
            "default_branch",
            "dirty",
            "epoch",
            "git_tags",
            "higher_versions",
            "labels",
            "near_misses",
            "notes",
            "prerelease",
            "repository",
            "revision",
            "schema",
            "shallow",
            "source",
            "tags",
            "version",
            "withheld"
        ]
    );
}

#[test]
fn a_tag_that_a_rule_forbids_ends_with_3_after_everything_is_printed() {
    let sandbox = Sandbox::new();
    sandbox.git(&["tag", "v1.0.0"]);
    let ran = sandbox.run(&["tags"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.stdout.contains("not given\n  v1.0.0 (refused): "),
        "{ran:#?}"
    );
    assert_eq!(
        ran.stderr,
        "error: `v1.0.0` is refused: the git tag says `1.0.0`, Cargo.toml says `0.2.13`; hint: \
         set `version = \"1.0.0\"` in Cargo.toml, commit and tag that commit; or `git tag -d \
         v1.0.0 && git tag -a v0.2.13`\n"
    );
    sandbox.git(&["tag", "-d", "v1.0.0"]);
    sandbox.git(&["tag", "v0.2.13+b1"]);
    let ran = sandbox.run(&["tags", "--format", "plain"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(!ran.stdout.contains("v0.2.13"), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("`v0.2.13+b1` is refused: build metadata"),
        "{ran:#?}"
    );
}

#[test]
fn version_picks_one_of_several() {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    repo.git(&["tag", "v1.1.0-rc.1"]);
    assert_eq!(repo.set().text("version"), Some("1.1.0-rc.1"));
    for pick in ["1.0.0", "v1.0.0"] {
        let set = Set::of(&repo.run(&["--json", "--version", pick]).succeeded());
        assert_eq!(set.text("version"), Some("1.0.0"));
        assert_eq!(set.0["prerelease"], false);
    }
    let ran = repo.run(&["--version", "2.0.0"]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(
        ran.stderr
            .contains("`v2.0.0` is refused: no git tag at HEAD"),
        "{ran:#?}"
    );
    let ran = repo.run(&["--version", "1.0"]);
    assert_eq!(ran.code, Some(2), "{ran:#?}");
    assert!(
        ran.stderr.contains("expected a version as in `1.2.3`"),
        "{ran:#?}"
    );
}

#[test]
fn another_repository_brings_its_own_settings() {
    let repo = Repo::new();
    repo.write(
        "Cargo.toml",
        "[package]\nname = \"x\"\nversion = \"3.0.0\"\n",
    );
    repo.git(&["add", "--all"]);
    repo.commit("package");
    repo.git(&["tag", "v3.0.1"]);
    let ran = repo.run(&[]);
    assert_eq!(ran.code, Some(3), "{ran:#?}");
    assert!(ran.stderr.contains("Cargo.toml says `3.0.0`"), "{ran:#?}");

    let fork = Sandbox::new();
    fork.edit("work/Cargo.toml", "agentgate/agent", "ghcr.io/fork/agent");
    fork.edit(
        "work/Cargo.toml",
        "default-branch = \"main\"",
        "default-branch = \"trunk\"",
    );
    let set = repo.set_in(&fork.path("work/docker"));
    assert_eq!(set.text("repository"), Some("ghcr.io/fork/agent"));
    assert_eq!(set.text("default_branch"), Some("trunk"));
    let args = ["--json", "--repository", "ghcr.io/me/agent"];
    let set = Set::of(&repo.run_in(&fork.path("work"), &args).succeeded());
    assert_eq!(set.text("repository"), Some("ghcr.io/me/agent"));
}

#[test]
fn a_wrong_repository_says_why() {
    let sandbox = Sandbox::new();
    for (name, why) in [
        ("ghcr.io/Me/agent", "`Me` must be lower case"),
        ("ghcr.io:99999/me/agent", "no valid port"),
        ("ghcr.io/me//agent", "an empty part"),
        ("ghcr.io/me/agent:dev", "carries no tag"),
    ] {
        let ran = sandbox.run(&["tags", "--repository", name]);
        assert_eq!(ran.code, Some(2), "{ran:#?}");
        assert!(ran.stderr.contains(why), "{ran:#?}");
    }
}
