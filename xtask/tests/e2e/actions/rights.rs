//! What each job may do: the workflows say it, and docs/ci.md says the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use regex::Regex;

use super::workflows;
use crate::world::root;

/// A job of a workflow.
struct Job {
    /// As in `image.yml`.
    file: String,
    id: String,
    /// The workflow of ours that it calls instead of running steps.
    calls: Option<String>,
    /// Each right that it asks for, as in `packages` and `write`.
    rights: BTreeMap<String, String>,
    text: String,
}

impl Job {
    fn right(&self, name: &str) -> &str {
        self.rights.get(name).map_or("", String::as_str)
    }
}

fn jobs() -> Vec<Job> {
    let head = Regex::new(r"(?m)^  ([a-z0-9-]+):$").unwrap();
    let calls = Regex::new(r"(?m)^    uses: \./\.github/workflows/(\S+)").unwrap();
    let right = Regex::new(r"^      ([a-z-]+): (read|write) # .").unwrap();
    let mut found = Vec::new();
    for (file, text) in workflows::all() {
        let (_, jobs) = text.split_once("\njobs:\n").unwrap();
        let starts: Vec<_> = head.captures_iter(jobs).collect();
        for (number, start) in starts.iter().enumerate() {
            let begin = start.get(0).unwrap().start();
            let next = starts
                .get(number + 1)
                .map(|next| next.get(0).unwrap().start());
            let text = &jobs[begin..next.unwrap_or(jobs.len())];
            let (_, block) = text.split_once("\n    permissions:\n").unwrap();
            let rights = block.lines().map_while(|line| right.captures(line));
            let rights = rights.map(|right| (right[1].to_owned(), right[2].to_owned()));
            found.push(Job {
                file: file.clone(),
                id: start[1].to_owned(),
                calls: calls.captures(text).map(|call| call[1].to_owned()),
                rights: rights.collect(),
                text: text.to_owned(),
            });
        }
    }
    found
}

/// What each job may do with packages; a job that does not mention them may do nothing.
pub(super) fn packages() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for job in jobs().into_iter().filter(|job| job.calls.is_none()) {
        let right = match job.right("packages") {
            "" => "none",
            right => right,
        };
        let twice = found.insert(job.id.clone(), right.to_owned());
        assert_eq!(twice, None, "two jobs are called `{}`", job.id);
    }
    found
}

/// Every right of each job.
pub(super) fn all() -> BTreeMap<String, BTreeMap<String, String>> {
    let jobs = jobs().into_iter().filter(|job| job.calls.is_none());
    jobs.map(|job| (job.id, job.rights)).collect()
}

/// The rows of the table of rights in docs/ci.md: a job, and its cells.
fn documented() -> BTreeMap<String, Vec<String>> {
    let page = fs::read_to_string(root().join("docs/ci.md")).unwrap();
    let (_, rest) = page.split_once("\n## What a job may do\n").unwrap();
    let lines = rest.lines().skip_while(|line| !line.starts_with('|'));
    let table = lines.take_while(|line| line.starts_with('|'));
    let rows = table.skip(2).map(|row| {
        let mut cells = row
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned());
        let job = cells.next().unwrap().replace('`', "");
        (job, cells.collect())
    });
    rows.collect()
}

/// Whoever gives a job another right says so on the page, and there who runs an image and may write stands
/// side by side.
#[test]
fn no_job_may_do_more_than_the_page_says() {
    let documented = documented();
    let mut expected = BTreeMap::new();
    for job in jobs().iter().filter(|job| job.calls.is_none()) {
        let name = format!("{} {}", job.file.trim_end_matches(".yml"), job.id);
        let runs = documented.get(&name).and_then(|cells| cells.last());
        let runs = runs.cloned().unwrap_or_default();
        let signs = if job.right("id-token") == "write" {
            "yes"
        } else {
            ""
        };
        let more = ["pull-requests", "statuses"].map(|name| match job.right(name) {
            "" => String::new(),
            right => format!("{name}: {right}"),
        });
        let more = more.join(", ").trim_matches([',', ' ']).to_owned();
        let cells = [
            job.right("contents"),
            job.right("packages"),
            signs,
            &more,
            &runs,
        ];
        expected.insert(name, cells.map(str::to_owned).to_vec());
        let known = [
            "contents",
            "packages",
            "id-token",
            "pull-requests",
            "statuses",
        ];
        let odd: Vec<&String> = job
            .rights
            .keys()
            .filter(|name| !known.contains(&&***name))
            .collect();
        assert!(odd.is_empty(), "{} {}: {odd:?}", job.file, job.id);
        let writes = job.right("contents") == "write" || !more.is_empty();
        let may_write = [
            ("release.yml", "release"),
            ("update.yml", "propose"),
            ("update.yml", "report"),
        ];
        assert_eq!(
            writes,
            may_write.contains(&(&*job.file, &*job.id)),
            "{} {}",
            job.file,
            job.id
        );
    }
    assert_eq!(documented, expected);
}

/// A job that runs an image may not write, and who may sign is who proves, and who keeps records.
#[test]
fn an_image_is_run_where_nothing_can_be_written() {
    let mut signers = Vec::new();
    for job in jobs().into_iter().filter(|job| job.calls.is_none()) {
        let name = format!("{} {}", job.file, job.id);
        let runs = ["xtask\" verify", "cargo xtask", "docker run"];
        if runs.iter().any(|command| job.text.contains(command)) {
            assert_ne!(job.right("packages"), "write", "{name}");
        }
        // Nor what a pull request is built from.
        let compiles = ["cargo build", "cargo xtask"]
            .iter()
            .any(|cargo| job.text.contains(cargo));
        assert!(!compiles || job.right("contents") != "write", "{name}");
        if job.rights.contains_key("id-token") {
            signers.push(name.clone());
        }
        // What moves a version or `latest`: behind the environment's reviewers, and nowhere else.
        let releases = job.text.contains("xtask\" release ");
        assert_eq!(
            releases,
            job.text.contains("\n    environment: release\n"),
            "{name}"
        );
        assert_eq!(
            releases,
            job.right("packages") == "write" && job.rights.contains_key("id-token"),
            "{name}"
        );
        // It must not verify instead: it may write.
        assert_eq!(
            releases,
            releases && job.text.contains("--receipt-dir"),
            "{name}"
        );
    }
    assert_eq!(
        signers,
        [
            "release.yml release",
            "rollback.yml rollback",
            "verify.yml verify"
        ]
    );
}

/// A job that calls a workflow runs no step; it must grant what the jobs there ask for, and grants no more.
#[test]
fn a_call_grants_what_is_asked_for() {
    let jobs = jobs();
    let mut count = 0;
    for job in &jobs {
        let Some(called) = &job.calls else {
            continue;
        };
        count += 1;
        let mut asked: BTreeMap<String, String> = BTreeMap::new();
        for (name, right) in jobs
            .iter()
            .filter(|one| one.file == *called)
            .flat_map(|one| &one.rights)
        {
            let most = asked.entry(name.clone()).or_default();
            // `read` < `write`
            *most = most.clone().max(right.clone());
        }
        assert_eq!(job.rights, asked, "{} {}", job.file, job.id);
        assert!(
            !job.text.contains("\n    steps:\n"),
            "{} {}",
            job.file,
            job.id
        );
    }
    assert_eq!(count, 7);
}

/// A proof is signed in the name of verify.yml, whoever calls it; whatever is run there could be signed for.
#[test]
fn nothing_but_image_calls_verify() {
    let jobs = jobs();
    let callers: BTreeSet<&str> = jobs
        .iter()
        .filter(|job| job.calls.as_deref() == Some("verify.yml"))
        .map(|job| &*job.file)
        .collect();
    assert_eq!(callers.into_iter().collect::<Vec<_>>(), ["image.yml"]);
    let text = workflows::text("verify.yml");
    assert!(text.contains("\non:\n  workflow_call:\n"), "{text}");
    assert_eq!(
        jobs.iter().filter(|job| job.file == "verify.yml").count(),
        1
    );
    // The first step: before anything of the caller's is there.
    let (_, steps) = text.split_once("\n    steps:\n").unwrap();
    let (first, _) = steps.split_once("\n      - uses: ").unwrap();
    for part in [
        "job.workflow_sha != github.workflow_sha",
        "job.workflow_repository != github.repository",
        "exit 1",
    ] {
        assert!(first.contains(part), "{first}");
    }
}
