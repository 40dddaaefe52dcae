//! `cargo xtask prune` at the distribution project's registry, with and without deletion.

mod off;
mod published;

use serde_json::{Value, json};

use self::off::Off;
use self::published::{Repository, tags};
use crate::common::Ran;
use crate::push::proxy::{Fault, When};
use crate::push::refused;
use crate::world::Registry;

#[test]
fn what_nothing_needs_is_removed_and_what_is_kept_is_whole() {
    let repository = Repository::new();
    let published = repository.publish();
    repository.proxy.reset(When::Never);
    let dry = repository.prune(&[]);
    let requests = repository.proxy.requests();
    let is_read = |line: &String| line.starts_with("GET") || line.starts_with("HEAD");
    assert!(requests.iter().all(is_read), "{requests:?}");
    assert_eq!(dry, repository.prune(&["--dry-run"]));
    assert_eq!(dry["results"], Value::Null);
    let remove = dry["plan"]["remove"].as_array().unwrap().iter();
    let mut planned: Vec<&str> = remove.flat_map(|one| tags(&one["tags"])).collect();
    planned.sort_unstable();
    assert_eq!(planned, published.tags);
    assert_eq!(tags(&dry["plan"]["keep"]).len(), published.kept.len());
    let done = repository.prune(&["--yes"]);
    let results = done["results"].as_array().unwrap();
    assert!(results.iter().all(|one| one["removed"] == true), "{done:#}");
    repository.is_pruned(&published);
    // Again: nothing is left to do, and a shorter limit takes no version.
    for more in [&["--yes"][..], &["--yes", "--older-than", "1d"]] {
        let again = repository.prune(more);
        assert_eq!(again["plan"]["remove"], json!([]), "{again:#}");
    }
    repository.is_pruned(&published);
}

#[test]
fn a_tag_with_the_digest_of_a_kept_one_stays_where_tags_cannot_go_alone() {
    let repository = Repository::new();
    let (digest, entries) = repository.commit("sha-1111111", 100);
    repository.tag("edge", &entries);
    let done = repository.prune(&["--yes"]);
    let result = &done["results"][0];
    assert_eq!(repository.workspace.digest("edge"), Some(digest));
    // Version 3 of the registry deletes a tag alone, 2.8 does not.
    assert_eq!(
        result["removed"],
        !repository.has("sha-1111111"),
        "{done:#}"
    );
    repository.is_whole();
}

#[test]
fn platforms_of_a_real_build_are_removed_once_they_are_merged() {
    let repository = Repository::new();
    let image = |more: &[&str]| {
        let args = [&["image", "--json", "--progress", "plain"], more].concat();
        Ran::of(&mut repository.workspace.xtask(&args)).succeeded();
    };
    let tag = repository.workspace.sha_tag();
    for platform in ["linux/amd64", "linux/arm64"] {
        image(&["--push", "--platform", platform]);
    }
    assert_eq!(repository.prune(&["--yes"])["plan"]["remove"], json!([]));
    image(&["--merge"]);
    let digest = repository.workspace.digest(&tag);
    repository.prune(&["--yes"]);
    for arch in ["amd64", "arm64"] {
        assert!(!repository.has(&format!("{tag}-linux-{arch}")));
    }
    assert_eq!(repository.workspace.digest(&tag), digest);
    repository.is_whole();
    // Nor does the next merge need them.
    image(&["--merge"]);
}

#[test]
fn a_run_that_ends_anywhere_is_finished_by_the_next_one() {
    let whole = Repository::new();
    let published = whole.publish();
    whole.proxy.reset(When::Never);
    whole.prune(&["--yes"]);
    whole.is_pruned(&published);
    let requests = whole.proxy.requests();
    let is_deletion = |(_, line): &(usize, &String)| line.starts_with("DELETE");
    // The first one probes.
    let deletions = requests.iter().enumerate().filter(is_deletion).skip(1);
    // Every other one: each takes a repository of its own.
    let deletions = deletions.step_by(2);
    for (number, _) in deletions {
        let repository = Repository::new();
        let published = repository.publish();
        let broken = Fault::Answer("418 I'm a teapot");
        repository.proxy.reset(When::From(number, broken));
        let ran = repository.command(&["--yes"]);
        assert_eq!(ran.code, Some(1), "{number}: {ran:#?}");
        repository.proxy.reset(When::Never);
        repository.is_whole();
        repository.prune(&["--yes"]);
        repository.is_pruned(&published);
    }
}

#[test]
fn a_deletion_whose_answer_is_lost_and_a_rate_limit_are_tried_again() {
    let busy = Fault::Answer("429 Too Many Requests\r\nRetry-After: 1");
    // After the reading: a probe, the list and the tag twice, its deletion; then those of its digest.
    for (number, fault) in [
        (5, busy),
        (8, busy),
        (8, Fault::CutAnswer),
        (8, Fault::Hangup),
    ] {
        let repository = Repository::new();
        repository.commit("sha-1111111", 100);
        repository.proxy.reset(When::Never);
        repository.prune(&[]);
        let number = repository.proxy.requests().len() + number;
        repository.proxy.reset(When::Once(number, fault));
        repository.prune(&["--yes"]);
        let requests = repository.proxy.requests();
        assert!(requests[number].starts_with("DELETE"), "{requests:#?}");
        assert!(!repository.has("sha-1111111"), "{fault:?}");
    }
}

#[test]
fn a_registry_that_deletes_nothing_is_left_as_it_was() {
    let own = Off::start();
    let repository = Repository::of(Registry::at(own.address.clone()));
    let published = repository.publish();
    repository.prune(&[]);
    let ran = repository.command(&["--yes"]);
    let parts = [
        "(405 Method Not Allowed), so nothing was removed",
        "docs/prune.md",
    ];
    refused(&ran, &parts);
    let all = published.gone.iter().chain(&published.tags);
    for name in all.chain(&published.kept) {
        assert!(repository.has(name), "{name}");
    }
}

#[test]
fn prune_explains_itself() {
    let repository = Repository::new();
    repository.publish();
    let ran = |args: &[&str]| Ran::of(&mut repository.workspace.xtask(args));
    let text = ran(&["prune"]).succeeded().stdout;
    for part in [
        "4 tags would be removed; `--yes` removes them",
        "merged into `sha-2222222`",
        "100 days old, and no version is at it",
        "not ours",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }
    for args in [
        &["prune", "--yes", "--dry-run"][..],
        &["prune", "--older-than", "1h"],
        &["prune", "--repository", "a", "--repository", "b"],
    ] {
        assert_eq!(ran(args).code, Some(2), "{args:?}");
    }
    let help = ran(&["prune", "--help"]).succeeded().stdout;
    assert!(
        help.contains("Examples:") && help.contains("Exit codes:"),
        "{help}"
    );
    // A version in git protects its commit, and a shallow clone has no say.
    let commit = repository.workspace.sha_tag();
    repository.commit(&commit, 100);
    repository.workspace.git(&["tag", "v9.0.0"]);
    let plan = repository.prune(&[]);
    let keep = plan["plan"]["keep"].as_array().unwrap();
    let own = keep.iter().find(|one| one["tag"] == *commit).unwrap();
    assert_eq!(own["reason"], "in-git");
    let revision = repository.workspace.revision();
    repository
        .workspace
        .write(".git/shallow", &format!("{revision}\n"));
    refused(&repository.command(&[]), &["the clone is shallow"]);
}
