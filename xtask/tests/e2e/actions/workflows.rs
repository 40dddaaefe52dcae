//! What the workflows say, as far as a test has to know it without running them. They are checked to
//! be valid by actionlint; here plain lines are enough.

use std::fs;

use regex::Regex;

use crate::world::root;

/// Every workflow, as its name and its text.
pub(super) fn all() -> Vec<(String, String)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(root().join(".github/workflows")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        all.push((name, fs::read_to_string(&path).unwrap()));
    }
    all.sort();
    all
}

pub(super) fn text(name: &str) -> String {
    fs::read_to_string(root().join(".github/workflows").join(name)).unwrap()
}

/// The actions that are used, each as `OWNER/NAME`, its commit and its version.
pub(super) fn actions() -> Vec<[String; 3]> {
    let uses = Regex::new(r"uses: ([a-z.-]+/[a-z.-]+)@([0-9a-f]{40}) # v([0-9.]+)").unwrap();
    let mut found = Vec::new();
    for (name, text) in all() {
        let is_use = |line: &&str| line.trim_start_matches([' ', '-']).starts_with("uses: ");
        for line in text.lines().filter(is_use) {
            if line.contains("uses: ./.github/workflows/") {
                continue;
            }
            let Some(parts) = uses.captures(line) else {
                panic!("{name}: no full commit with its version: {line}");
            };
            found.push([1, 2, 3].map(|part| parts[part].to_owned()));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// Whether GitHub starts release.yml for a tag, by its filter.
fn is_released(tag: &str) -> bool {
    let text = text("release.yml");
    let filter = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("tags: ["));
    let patterns = filter.unwrap().trim_end_matches(']').split(", ");
    let mut expressions = patterns.map(|pattern| {
        // `+` and `[…]` mean what they mean in an expression; `*` ends at a slash.
        let pattern = pattern.trim_matches('"').replace('.', r"\.");
        Regex::new(&format!("^{}$", pattern.replace('*', "[^/]*"))).unwrap()
    });
    expressions.any(|expression| expression.is_match(tag))
}

#[test]
fn versions_alone_are_released() {
    for tag in ["v0.2.13", "v1.0.0", "v10.20.30", "v1.0.0-rc.1", "v1.0.0-0"] {
        assert!(is_released(tag), "{tag}");
    }
    for tag in [
        "v1",
        "v1.2",
        "v1.2.3.4",
        "1.2.3",
        "version",
        "vendor/v1.2.3",
        "v1.2.x",
        "v1.2.3/x",
    ] {
        assert!(!is_released(tag), "{tag}");
    }
}

/// A third tag cancels the second one where only one run may wait (ai-ecoverse/slicc#1673,
/// anolilab/lunora#474), and a release that is cancelled may be half done.
#[test]
fn a_release_waits_and_is_never_cancelled() {
    for name in ["release.yml", "rollback.yml", "image.yml"] {
        let text = text(name);
        let (_, rest) = text.split_once("\nconcurrency:\n").unwrap();
        let block: Vec<&str> = rest
            .lines()
            .take_while(|line| line.starts_with(' '))
            .collect();
        assert!(
            block.contains(&"  cancel-in-progress: false"),
            "{name}: {block:?}"
        );
        assert!(block.contains(&"  queue: max"), "{name}: {block:?}");
    }
}

/// No secret reaches a workflow of ours but the job's own token, and that only where it logs in or
/// makes a GitHub Release or a pull request.
#[test]
fn a_token_is_given_to_a_login_and_to_gh_alone() {
    for (name, text) in all() {
        assert!(!text.contains("secrets:"), "{name}");
        assert!(!text.contains("pull_request_target"), "{name}");
        assert!(!text.contains("secrets."), "{name}");
        for line in text.lines().filter(|line| line.contains("github.token")) {
            let is_login = line.trim() == "password: ${{ github.token }}";
            // For `gh`, which makes the GitHub Release or the pull request.
            let is_gh = ["release.yml", "update.yml"].contains(&&*name)
                && line.trim() == "GH_TOKEN: ${{ github.token }}";
            assert!(is_login || is_gh, "{name}: {line}");
        }
        let (head, _) = text.split_once("jobs:\n").unwrap();
        assert!(head.contains("\npermissions: {}\n"), "{name}");
    }
}

/// The jobs that build what a night proposes run new crates that nobody has reviewed, in the name of the default
/// branch. A program on such a machine finds the runner's token and can write GitHub's cache of that branch: whoever
/// read it would run what was put there (AdnaneKhan/ActionsCacheBlasting#3).
#[test]
fn no_job_reads_a_cache_that_another_run_has_written() {
    for (name, text) in all() {
        for cache in [
            "--cache",
            "actions/cache",
            "ghaction-github-runtime",
            "cache: ",
        ] {
            assert!(!text.contains(cache), "{name}: {cache}");
        }
        // It caches unless it is told not to.
        assert_eq!(
            text.matches("docker/setup-qemu-action@").count(),
            text.matches("cache-image: false").count(),
            "{name}"
        );
        assert!(!text.contains("docker/setup-buildx-action@"), "{name}");
    }
}

#[test]
fn nobody_is_logged_in_where_something_is_compiled() {
    for (name, text) in all() {
        for steps in text.split("\n    steps:\n").skip(1) {
            let login = steps.find("docker/login-action").unwrap_or(steps.len());
            let last = steps.rfind("run: cargo ").unwrap_or_default();
            assert!(last < login, "{name}");
        }
    }
}

/// The steps that use an artifact of `xtask.yml` are in five files and eight jobs. An action of this
/// repository, which all could share, would be read from the checkout; a release by hand checks out the
/// commit of a tag, which may have another such action or none, and the digest is checked before anything
/// of that commit runs. So each job has the step, and all are the same.
#[test]
fn what_another_job_compiled_is_checked_before_it_is_started() {
    let mut checks = Vec::new();
    for (name, text) in all() {
        let steps: Vec<&str> = text.split("\n      - ").collect();
        for (number, step) in steps.iter().enumerate() {
            let is_download = step.contains("download-artifact@") && step.contains("name: xtask-");
            if !is_download {
                assert!(
                    !step.contains("download-artifact@")
                        || step.contains("pattern: receipts-*")
                        || step.contains("name: update\n"),
                    "{step}"
                );
                continue;
            }
            let (check, digest) = steps[number + 1].split_once("          DIGEST: ").unwrap();
            assert!(
                digest.starts_with("${{ ")
                    && (digest.contains(".outputs.") || digest.contains("inputs.xtask-")),
                "{name}: {digest}"
            );
            checks.push(check.to_owned());
        }
    }
    assert_eq!(checks.len(), 8);
    checks.dedup();
    assert_eq!(checks.len(), 1, "{checks:#?}");
    assert!(checks[0].contains("test \"$(sha256sum ./* | sha256sum)\" = \"$DIGEST\""));
}

/// Each action that is used has a stand-in, which was written by the source of that major version.
#[test]
fn stand_ins_are_of_the_versions_that_are_used() {
    for [action, _, version] in actions() {
        let path = root()
            .join("xtask/tests/actions")
            .join(&action)
            .join("action.yml");
        let text = fs::read_to_string(&path).unwrap_or_default();
        let major = version.split('.').next().unwrap();
        let head = format!("# Stands in for {action} v{major}.");
        assert_eq!(
            text.lines().next(),
            Some(&*head),
            "read the inputs, the outputs and the source of {action} {version}, and mend its stand-in"
        );
    }
}
