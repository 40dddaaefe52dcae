//! How old what is published is: labels of made-up images, a base's registry and a fake npm.

use serde_json::{Value, json};

use super::audit;
use crate::common::Ran;
use crate::registry::{Content, Registry, digest};
use crate::sandbox::Sandbox;
use crate::update::{program, sandbox};

const LONG_AGO: &str = "2020-01-02T03:04:05Z";
/// Says how often it was started.
const NPM: &str = "echo \"$*\" >>\"$here/calls\"\necho '\"1.0.1\"'\n";

/// A repository that pins Claude Code 1.0.0, images of its commit, and the registry of their base.
struct Published {
    sandbox: Sandbox,
    images: Registry,
    base: Registry,
}

impl Published {
    /// `latest`, `dev` and three versions. Their base is of `base_digest`, of what the tag of the base leads to now
    /// where that is none.
    fn new(created: &str, base_digest: Option<&str>) -> Published {
        let sandbox = sandbox("1.0.0");
        program(&sandbox, "npm", NPM);
        let base = Registry::with(Content::default());
        let index = base.content().manifest(&json!({"manifests": []}));
        base.content().lead("20", &index);
        let name = format!("{}/node:20", base.address);
        sandbox.write("work/docker/Dockerfile.agent", &format!("FROM {name}\n"));
        let now = index["digest"].as_str().unwrap().to_owned();
        let labels = json!({
            "org.opencontainers.image.revision": sandbox.revision(),
            "org.opencontainers.image.created": created,
            "org.opencontainers.image.base.name": name,
            "org.opencontainers.image.base.digest": base_digest.unwrap_or(&now),
        });
        let mut content = Content::default();
        let image = content.image(&labels);
        for tag in ["latest", "dev", "v1.0.0", "v0.9.0", "v0.8.0"] {
            content.tag(tag, &json!({"manifests": [image]}));
        }
        Published {
            sandbox,
            images: Registry::with(content),
            base,
        }
    }

    fn audit(&self, more: &[&str]) -> Ran {
        audit(&self.sandbox, &self.images, more)
    }

    /// What `--json` prints of the age of a tag.
    fn age(&self, tag: &str) -> Value {
        let ran = self.audit(&["--json"]).succeeded();
        let report: Value = serde_json::from_str(&ran.stdout).unwrap();
        let tags = report["repositories"][0]["tags"].as_array().unwrap();
        let found = tags.iter().find(|one| one["name"] == tag).unwrap();
        found["age"].clone()
    }
}

#[test]
fn each_tag_says_how_old_it_is_and_each_who_knows_is_asked_once() {
    let published = Published::new(LONG_AGO, Some(&digest(b"older")));
    let ran = published.audit(&[]).succeeded();
    for tag in ["latest", "dev", "v1.0.0", "v0.8.0"] {
        let row = ran.stdout.lines().find(|line| line.starts_with(tag));
        let row: Vec<&str> = row
            .unwrap()
            .split("  ")
            .filter(|cell| !cell.is_empty())
            .collect();
        assert!(row[4].trim().ends_with(" days ago"), "{ran:#?}");
        let [base, claude] = [row[5].trim(), row[6].trim()];
        assert_eq!(
            [base, claude],
            ["behind", "1.0.0 (newest 1.0.1)"],
            "{ran:#?}"
        );
    }
    // No version costs a request.
    assert_eq!(published.base.requests(), ["HEAD 20"]);
    let calls = ["x64", "arm64"].map(|cpu| {
        format!("view @anthropic-ai/claude-code-linux-{cpu}-musl dist-tags.latest --json\n")
    });
    assert_eq!(published.sandbox.read("bin/calls"), calls.concat());
    let age = published.age("latest");
    assert_eq!(age["built"], LONG_AGO);
    assert!(age["days"].as_u64().unwrap() > 2000, "{age}");
    assert_eq!(
        (&age["base"]["is_behind"], &age["claude"]["is_behind"]),
        (&true.into(), &true.into())
    );
    let current = Published::new(LONG_AGO, None);
    program(&current.sandbox, "npm", "echo '\"1.0.0\"'\n");
    let age = current.age("dev");
    assert_eq!(
        (&age["base"]["is_behind"], &age["claude"]["is_behind"]),
        (&false.into(), &false.into())
    );
}

#[test]
fn who_cannot_be_asked_is_a_note_and_no_pass() {
    let published = Published::new("", Some(&digest(b"older")));
    let refused = ("manifests/20".to_owned(), "403 Forbidden", "{}");
    published.base.content().answers.push(refused);
    program(
        &published.sandbox,
        "npm",
        "echo 'npm error network \u{1b}[2J' >&2; exit 1\n",
    );
    let ran = published.audit(&[]);
    assert_eq!(ran.code, Some(0), "{ran:#?}");
    let base = format!(
        "- note: `{}/node:20` could not be asked, so whether the base image is behind is not known: ",
        published.base.address
    );
    let npm = "- note: `npm` could not be asked, so whether Claude Code is behind is not known: `npm view` failed: npm error network \\u{1b}[2J\n";
    assert!(
        ran.stdout.contains(&base) && ran.stdout.contains(npm),
        "{ran:#?}"
    );
    let age = published.age("latest");
    for nothing in [
        &age["days"],
        &age["base"]["is_behind"],
        &age["claude"]["is_behind"],
    ] {
        assert_eq!(*nothing, Value::Null, "{age}");
    }
    // However many days: nobody knows how many there are.
    let ran = published.audit(&["--max-age", "4000000"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let name = published.images.name();
    for tag in ["latest", "dev"] {
        let wrong = format!("- `{name}:{tag}` is of an age that is not known");
        assert!(ran.stdout.contains(&wrong), "{ran:#?}");
    }
}

#[test]
fn what_people_follow_is_too_old_and_old_versions_are_what_they_are() {
    let published = Published::new(LONG_AGO, None);
    let ran = published.audit(&["--max-age", "30"]);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let old = ran
        .stdout
        .lines()
        .filter(|line| line.contains(" ago, and `--max-age` is 30"));
    assert_eq!(old.count(), 2, "{ran:#?}");
    assert!(
        ran.stderr
            .ends_with("2 things are wrong; they are listed above with remedies\n"),
        "{ran:#?}"
    );
    published.audit(&["--max-age", "4000000"]).succeeded();
}

/// A label is written by whoever has pushed the image.
#[test]
fn no_label_says_which_registry_is_asked() {
    let published = Published::new(LONG_AGO, None);
    published.sandbox.write(
        "work/docker/Dockerfile.agent",
        "FROM docker.io/library/node:22\n",
    );
    assert_eq!(published.age("latest")["base"]["is_behind"], Value::Null);
    assert_eq!(published.base.requests(), [""; 0]);
}

/// What a made-up `npm` prints is no version.
#[test]
fn an_npm_that_says_nothing_of_use_is_a_note() {
    let published = Published::new(LONG_AGO, None);
    for said in ["", "{}", "[\"1.0.1\",\"1.0.2\"]", "\"newest\"", "<html>"] {
        program(
            &published.sandbox,
            "npm",
            &format!("cat <<'END'\n{said}\nEND\n"),
        );
        let ran = published.audit(&[]).succeeded();
        let note =
            "not known: `npm view` names no version for `@anthropic-ai/claude-code-linux-x64-musl`";
        assert!(ran.stdout.contains(note), "{said}: {ran:#?}");
    }
}
