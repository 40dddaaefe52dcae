//! image.yml: what a push to main publishes.

use super::github::Github;
use super::run::TOKEN;
use super::workflows;

const MAIN: &str = "refs/heads/main";

/// What was sent to the registry that changes something, by whom.
fn writes(github: &Github) -> Vec<String> {
    let requests = github.gate.requests().into_iter();
    let is_write = |request: &String| {
        let method = request.split(' ').nth(1).unwrap();
        !matches!(method, "GET" | "HEAD")
    };
    requests.filter(is_write).collect()
}

#[test]
fn a_push_to_main_publishes_what_was_verified() {
    let github = Github::new();
    let run = github.on_push("image.yml", MAIN);
    run.succeeds();
    let sha = github.digest(&github.workspace.sha_tag());
    assert!(sha.is_some());
    assert_eq!(github.digest("dev"), sha);
    // Compiled once for each architecture, and used by every job since.
    let log = run.read("log");
    let compiled = "compile: cargo build --locked --package xtask --package verify\n";
    assert_eq!(log.matches(compiled).count(), 2, "{log}");
    assert_eq!(log.matches("cargo").count(), 2, "{log}");
    assert_eq!(
        log.matches("verify: xtask verify --pull").count(),
        2,
        "{log}"
    );
    // No build script sees a token, of the job or of its cache.
    let seen = run.read("env-compile");
    assert!(seen.contains("GITHUB_SHA="), "{seen}");
    for secret in [TOKEN, "ACTIONS_RUNTIME_TOKEN", "extraheader", "\"auth\""] {
        assert!(!seen.contains(secret), "`{secret}`: {seen}");
    }
    // A job that runs the image may not write: verify.py tries.
    assert_eq!(github.digest("stolen"), None);
    let writes = writes(&github);
    let stolen: Vec<&String> = writes
        .iter()
        .filter(|line| line.ends_with("/stolen"))
        .collect();
    assert_eq!(stolen.len(), 2, "{writes:?}");
    assert!(
        stolen.iter().all(|line| line.starts_with("read PUT")),
        "{stolen:?}"
    );
    assert!(
        run.read("summary-dev").contains(":dev` (pushed)"),
        "{}",
        run.read("summary-dev")
    );

    // The whole run again, with the artifacts of the first attempt there: their names are taken, and
    // an upload that does not overwrite would fail (actions/upload-artifact#478,
    // axodotdev/cargo-dist#656). Then each job alone.
    run.succeeds();
    for job in ["platform", "index", "verify", "dev"] {
        run.again(job);
    }
    assert_eq!(github.digest(&github.workspace.sha_tag()), sha);
    assert_eq!(github.digest("dev"), sha);
    let tags = |request: &String| request.contains("/manifests/sha-") || request.ends_with("/dev");
    let writes: Vec<String> = self::writes(&github).into_iter().filter(tags).collect();
    assert_eq!(writes, [""; 0], "a second attempt writes no tag");
}

#[test]
fn a_commit_that_is_not_proved_keeps_its_tag_and_does_not_become_dev() {
    let github = Github::new();
    let run = github.on_push("image.yml", MAIN);
    // One platform fails, and of the other there is a receipt that nobody has signed.
    let unsigned = "STAND_INS_KEYS={\"linux/amd64\": \"\"}";
    let ran = run.start(&["VERIFY_FAILS=linux/arm64", unsigned]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let sha = github.digest(&github.workspace.sha_tag());
    assert!(sha.is_some());
    assert_eq!(github.digest("dev"), None);
    // GitHub starts `Move dev` all the same; act ends a run when a workflow that it calls has failed.
    let always = "if: ${{ !cancelled() && needs.index.result == 'success' &&";
    assert!(workflows::text("image.yml").contains(always));
    run.again("dev");
    assert_eq!(github.digest("dev"), None);
    let summary = run.read("summary-dev");
    for said in [
        "dev` stays: no receipt proves `linux/amd64` and `linux/arm64`",
        "hint: `cargo xtask verify --sign --pull",
    ] {
        assert!(summary.contains(said), "`{said}`: {summary}");
    }
    // Somebody repeats the job that failed, and with it those after it.
    run.succeeds();
    assert_eq!(github.digest("dev"), sha);
}

/// A file of an artifact that is not what the run compiled is never started: a job of the run, or
/// whoever got at its token, may have uploaded another.
#[test]
fn an_xtask_that_this_run_did_not_compile_is_not_started() {
    let github = Github::new();
    let run = github.on_push("image.yml", MAIN);
    let ran = run.start(&["TAMPER=xtask-arm64"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let log = run.read("log");
    assert!(!log.contains("--platform linux/arm64"), "{log}");
    assert_eq!(github.digest(&github.workspace.sha_tag()), None);
}
