//! `--cache gha`: BuildKit's own client against a stand-in for GitHub's service, which is not to be
//! had outside of GitHub and was never asked.

use std::process::Command;

use serde_json::Value;

use super::Workspace;
use super::actions::{METHODS, Service};
use crate::common::Ran;
use crate::world::{docker, unique_name};

/// A workspace whose steps have a name in their lines that no other build's have.
struct Steps {
    workspace: Workspace,
    name: String,
}

impl Steps {
    fn new() -> Steps {
        let steps = Steps {
            workspace: Workspace::new(),
            name: unique_name(),
        };
        steps.write("one");
        steps
    }

    /// A stage whose layer is in no image, a step that takes something from it `to` somewhere, and a
    /// third.
    fn write(&self, to: &str) {
        let name = &self.name;
        let dockerfile = format!(
            "FROM scratch AS made\nARG TARGETARCH\nCOPY content/ /{name}/$TARGETARCH/\n\
             FROM scratch\nARG TARGETARCH\nCOPY --from=made /{name}/ /{name}/{to}/$TARGETARCH/\n\
             COPY --link content/ /{name}/linked/$TARGETARCH/\nARG IMAGE_REVISION\n\
             LABEL org.opencontainers.image.revision=$IMAGE_REVISION\n"
        );
        self.workspace.write("docker/Dockerfile.agent", &dockerfile);
        self.workspace.commit(to);
    }

    /// Takes the steps from the builder, and nothing of any other test.
    fn forget(&self) {
        let filter = format!("description~={}", self.name);
        let prune = ["buildx", "prune", "--force", "--all", "--filter", &filter];
        let ran = docker(&prune).succeeded();
        assert!(!ran.stdout.contains("Total:\t0B"), "{ran:#?}");
    }

    /// A push with the cache, and GitHub's variables.
    fn command(&self, service: &Service, args: &[&str]) -> Command {
        let push = ["image", "--push", "--json", "--progress", "plain"];
        let cache = ["--cache", "gha"];
        let mut xtask = self.workspace.xtask(&[&push[..], &cache, args].concat());
        service.announce(&mut xtask);
        xtask
    }

    fn push(&self, service: &Service, args: &[&str]) -> (Vec<Counts>, String) {
        ended(&mut self.command(service, args))
    }
}

/// A platform's steps, and those that were cached.
type Counts = (u64, u64);

/// What a push, which has to succeed, counted for each platform, and what it said.
#[track_caller]
fn ended(push: &mut Command) -> (Vec<Counts>, String) {
    let ran = Ran::of(push).succeeded();
    let built: Value = serde_json::from_str(&ran.stdout).unwrap();
    let platforms = built["platforms"].as_array().unwrap().iter();
    let count = |platform: &Value, name: &str| platform[name].as_u64().unwrap();
    let counts = platforms.map(|platform| (count(platform, "steps"), count(platform, "cached")));
    (counts.collect(), ran.stderr)
}

/// Text that hardly gets smaller: its layer is uploaded in several blocks.
fn long_text() -> String {
    let mut state: u32 = 1;
    let letters = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'0' + (state >> 26) as u8)
    });
    letters.take(2 << 20).collect()
}

#[test]
fn each_set_of_platforms_writes_its_scope_and_reads_all() {
    let (service, steps) = (Service::start(), Steps::new());
    steps.workspace.write("content/long", &long_text());
    steps.workspace.commit("long");
    let (counts, said) = steps.push(&service, &[]);
    assert_eq!(counts, [(3, 0), (3, 0)]);
    assert!(!said.contains("the cache was not"), "{said}");
    // The same images: the summary is of the build all the same.
    let (counts, _) = steps.push(&service, &["--rebuild"]);
    assert_eq!(counts, [(3, 3), (3, 3)]);
    let indexes = |scope: &str| {
        let start = format!("index-agent-{scope}-1-");
        let keys = service.keys();
        keys.iter().filter(|key| key.starts_with(&start)).count()
    };
    let scopes = ["linux-amd64_linux-arm64", "linux-amd64", "linux-arm64"];
    assert_eq!(scopes.map(indexes), [2, 0, 0], "{:#?}", service.keys());
    steps.forget();
    // A layer that is in no image is kept as well: the step after it is another one by now.
    steps.write("two");
    let (counts, _) = steps.push(&service, &["--platform", "linux/arm64"]);
    assert_eq!(counts, [(3, 1)]);
    assert_eq!(scopes.map(indexes), [2, 0, 1], "{:#?}", service.keys());
    // The provenance, which everybody can read, says how it was built.
    let layout = steps.workspace.build_folder();
    let grep = ["-r", "-l", "-F", service.token(), layout.to_str().unwrap()];
    let found = Ran::of(crate::common::command("grep", &layout).args(grep));
    assert_eq!((found.code, &*found.stdout), (Some(1), ""));
}

#[test]
fn a_service_that_fails_is_told_and_fails_no_build() {
    let refuses = |status| {
        let service = Service::start();
        service.fail(METHODS, status);
        service
    };
    for (service, why) in [
        (refuses("401 Unauthorized"), "401"),
        (refuses("503 Service Unavailable"), "503"),
        (Service::gone(), "connection refused"),
    ] {
        let steps = Steps::new();
        let (counts, said) = steps.push(&service, &[]);
        assert_eq!(counts, [(3, 0), (3, 0)], "{why}");
        let notes: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("note: the cache was not "))
            .collect();
        assert_eq!(notes.len(), 2, "{said}");
        for (note, done) in notes.iter().zip(["read: ", "written: "]) {
            assert!(note.contains(done) && note.contains(why), "{said}");
        }
    }
}

#[test]
fn what_a_cache_breaks_off_is_built_without_it() {
    type Break = fn(&Service, &mut Command);
    let breaks: [(&str, Break, bool); 4] = [
        (
            "layers that are not given out",
            |service, _| service.fail("buildkit-blob-", "403 Forbidden"),
            true,
        ),
        (
            "a token that is none",
            |_, push| {
                push.env("ACTIONS_RUNTIME_TOKEN", "none");
            },
            true,
        ),
        (
            "layers that had to make room",
            |service, _| service.evict("buildkit-blob-"),
            false,
        ),
        (
            "an index that is not given out",
            |service, _| service.fail("index-", "403 Forbidden"),
            false,
        ),
    ];
    for (what, break_it, is_twice) in breaks {
        let (service, steps) = (Service::start(), Steps::new());
        steps.push(&service, &[]);
        steps.forget();
        steps.write("two");
        let mut push = steps.command(&service, &[]);
        break_it(&service, &mut push);
        let (_, said) = ended(&mut push);
        let again = "note: building again without `--cache`";
        assert_eq!(said.contains(again), is_twice, "{what}: {said}");
    }
}
