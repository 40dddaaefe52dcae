//! In GitHub Actions: the runner's variables, and the outputs and the summary for it.

use std::collections::BTreeMap;
use std::fs;

use crate::common::Ran;
use crate::tags::published::registry;
use crate::tags::{Repo, Set};

/// The tag set of a job with these variables.
fn set(repo: &Repo, vars: &[(&str, &str)]) -> Set {
    let mut command = repo.command(&repo.root(), &["--json"]);
    command.env("CI", "true").env("GITHUB_ACTIONS", "true");
    Set::of(&Ran::of(command.envs(vars.iter().copied())).succeeded())
}

const OWN: &str = r#"{"id":1,"full_name":"me/agent"}"#;

#[test]
fn a_pull_requests_merge_commit_gets_no_tag_that_stays() {
    let repo = Repo::new();
    repo.git(&["checkout", "--quiet", "-b", "change"]);
    repo.commit("change");
    let change = repo.head();
    repo.git(&["checkout", "--quiet", "main"]);
    repo.commit("meanwhile");
    repo.git(&["checkout", "--quiet", "--detach"]);
    repo.git(&[
        "merge",
        "--quiet",
        "--no-ff",
        "--message",
        "merge",
        "change",
    ]);
    let merge = repo.head();
    let vars = [
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_SHA", &*merge),
    ];
    let found = set(&repo, &vars);
    assert_eq!(found.tags(), [""; 0]);
    let sha = format!("sha-{}", &merge[..7]);
    assert_eq!(found.names("withheld", "name"), [&*sha, "pr-7", "dev"]);
    let why = found.names("withheld", "why");
    assert_eq!(
        why[0],
        "HEAD is the throw-away merge commit of pull request 7"
    );
    let unknown = "where the pull request comes from is not known: GITHUB_EVENT_PATH is not set";
    assert_eq!(why[1], unknown);
    // A branch of the same repository has a tag of its own, which its merge may have.
    let payload = repo.path("event.json");
    let event = |head: &str| {
        let own = OWN;
        let event = format!(
            "{{\"pull_request\":{{\"number\":7,\"head\":{{\"sha\":\"{change}\",\"repo\":{head}}},\"base\":\
             {{\"sha\":\"\",\"repo\":{own}}}}}}}"
        );
        fs::write(&payload, event).unwrap();
        let path = payload.to_str().unwrap();
        let more = [
            ("GITHUB_EVENT_PATH", path),
            ("GITHUB_REPOSITORY", "me/agent"),
        ];
        set(&repo, &[&vars[..], &more].concat())
    };
    assert_eq!(event(OWN).tags(), ["pr-7"]);
    let fork = event("{\"id\":2,\"full_name\":\"you/agent\"}");
    assert_eq!(fork.tags(), [""; 0]);
    let why = &fork.names("withheld", "why")[1];
    assert_eq!(
        *why,
        "the pull request comes from another repository (\"you/agent\")"
    );
    // The remedy: the pull request's own commit.
    repo.git(&["checkout", "--quiet", &change]);
    assert_eq!(set(&repo, &vars).tags(), [format!("sha-{}", &change[..7])]);
}

#[test]
fn dev_is_for_the_default_branch() {
    let repo = Repo::new();
    let head = repo.head();
    let push = |git_ref| {
        [
            ("GITHUB_EVENT_NAME", "push"),
            ("GITHUB_REF", git_ref),
            ("GITHUB_SHA", &*head),
        ]
    };
    let sha = format!("sha-{}", &head[..7]);
    assert_eq!(set(&repo, &push("refs/heads/main")).tags(), [&*sha, "dev"]);
    repo.git(&["checkout", "--quiet", "-b", "feature"]);
    let found = set(&repo, &push("refs/heads/feature"));
    assert_eq!(found.tags(), [&*sha]);
    assert_eq!(found.names("withheld", "remedy"), ["merge into `main`"]);
    // Outside CI it is a local build.
    assert_eq!(repo.set().tags(), [&*sha, "dev"]);
}

/// Reads a file of step outputs as the runner does.
fn parse(text: &str) -> BTreeMap<&str, String> {
    let mut outputs = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let (name, delimiter) = line.split_once("<<").unwrap();
        let value: Vec<&str> = lines
            .by_ref()
            .take_while(|line| *line != delimiter)
            .collect();
        outputs.insert(name, value.join("\n"));
    }
    outputs
}

#[test]
fn outputs_and_summary_are_written() {
    let repo = Repo::new();
    repo.git(&[
        "remote",
        "add",
        "origin",
        "https://git.example.org/me/agent",
    ]);
    repo.git(&["tag", "v1.0.0"]);
    let (outputs, summary) = (repo.path("outputs"), repo.path("summary"));
    let tell = |args: &[&str]| {
        fs::write(&outputs, "").unwrap();
        fs::write(&summary, "").unwrap();
        let mut command = repo.command(&repo.root(), args);
        command
            .env("GITHUB_OUTPUT", &outputs)
            .env("GITHUB_STEP_SUMMARY", &summary);
        Ran::of(&mut command).succeeded();
        (
            fs::read_to_string(&outputs).unwrap(),
            fs::read_to_string(&summary).unwrap(),
        )
    };
    let head = repo.head();
    let sha = format!("sha-{}", &head[..7]);
    let (text, markdown) = tell(&[]);
    let all = parse(&text);
    let names = all.keys().copied().collect::<Vec<_>>().join(" ");
    assert_eq!(
        names,
        "created labels prerelease revision sha-tag tags version"
    );
    let image = "agentgate/agent";
    assert_eq!(
        all["tags"],
        format!("{image}:{sha}\n{image}:dev\n{image}:v1.0.0")
    );
    assert_eq!(all["sha-tag"], sha);
    assert_eq!(all["version"], "1.0.0");
    assert_eq!(all["revision"], head);
    assert_eq!(all["prerelease"], "false");
    let created = &all["created"];
    assert_eq!(
        all["labels"],
        format!(
            "org.opencontainers.image.created={created}\n\
             org.opencontainers.image.revision={head}\n\
             org.opencontainers.image.source=https://git.example.org/me/agent\n\
             org.opencontainers.image.version=1.0.0"
        )
    );
    assert!(
        markdown.contains(&format!("| `{image}:latest` | release | ")),
        "{markdown}"
    );
    // `latest` is an output only once the registry was asked.
    let name = registry(&[]).name();
    let (text, _) = tell(&["--published", "--repository", &name]);
    assert!(parse(&text)["tags"].ends_with(":latest"), "{text}");
    repo.commit("next");
    let (text, _) = tell(&[]);
    let all = parse(&text);
    assert_eq!((&*all["version"], &*all["prerelease"]), ("", "false"));
}
