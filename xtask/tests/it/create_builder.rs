//! `--create-builder`: a builder of our own where there is none.

use crate::builder::{IDLE, STARTS};
use crate::sandbox::Sandbox;

const CREATE: [&str; 2] = ["image", "--create-builder"];

/// A docker without the builder `agentgate`, and what makes that one.
fn without_builder(create: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    std::fs::remove_file(sandbox.path("bin/builder")).unwrap();
    sandbox.write("bin/create", create);
    sandbox.write("bin/rm", "");
    sandbox
}

#[test]
fn a_builder_is_created_unless_it_is_there() {
    let sandbox = without_builder(r#"cp "$here/made" "$here/builder""#);
    sandbox.write("bin/made", IDLE);
    sandbox.write("bin/start", STARTS);
    let create = "buildx create --name agentgate --driver docker-container";
    let mut dry = CREATE.to_vec();
    dry.extend(["--dry-run", "--json"]);
    let ran = sandbox.run(&dry).succeeded();
    let note = format!("note: first `docker {create} --bootstrap`\n");
    assert_eq!(ran.stderr, note);
    serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap();
    assert!(!sandbox.read("bin/calls").contains("create"));
    for _ in 0..2 {
        sandbox.run(&CREATE).succeeded();
        let calls = sandbox.read("bin/calls");
        for call in [create, "buildx inspect --bootstrap agentgate"] {
            assert_eq!(calls.matches(&format!("{call}\n")).count(), 1, "{calls}");
        }
    }
    assert_eq!(sandbox.builds().len(), 2);
}

#[test]
fn a_builder_that_cannot_be_created_leaves_nothing_behind() {
    let sandbox = without_builder(r#"cp "$here/made" "$here/builder""#);
    sandbox.write("bin/made", IDLE);
    sandbox.write("bin/start", "echo 'ERROR: not found' >&2; exit 1");
    sandbox.run(&CREATE).failed_after(
        "ERROR: not found\n",
        "the builder `agentgate` cannot be made: `docker buildx inspect` failed (exit status: 1); \
         its output is above\n  hint: it needs BuildKit's image from Docker Hub; `--builder NAME` \
         takes one that you have",
    );
    let calls = sandbox.read("bin/calls");
    assert!(calls.contains("buildx rm --force agentgate\n"), "{calls}");
    assert_eq!(sandbox.builds(), [""; 0]);
}

#[test]
fn a_builder_that_somebody_else_makes_meanwhile_is_used_and_left_alone() {
    let exists = r#"cp "$here/made" "$here/builder"; echo 'ERROR: existing instance' >&2; exit 1"#;
    let sandbox = without_builder(exists);
    sandbox.write("bin/made", IDLE);
    sandbox.write("bin/start", STARTS);
    let ran = sandbox.run(&CREATE).succeeded();
    let note = "note: somebody else has made `agentgate` meanwhile\n";
    assert!(ran.stderr.contains(note), "{ran:#?}");
    assert!(!sandbox.read("bin/calls").contains("buildx rm"));
    assert_eq!(sandbox.builds().len(), 1);
    // Without a builder there is nothing to remove either.
    let sandbox = without_builder("echo 'ERROR: no such driver' >&2; exit 1");
    let ran = sandbox.run(&CREATE);
    let error = "error: the builder `agentgate` cannot be made: `docker buildx create` failed";
    assert!(ran.stderr.contains(error), "{ran:#?}");
    assert!(!sandbox.read("bin/calls").contains("buildx rm"));
}

#[test]
fn without_an_engine_no_builder_is_created() {
    let sandbox = without_builder("exit 99");
    sandbox.write(
        "bin/info",
        r#"{"ServerErrors":["no answer"],"ClientInfo":{}}"#,
    );
    let ran = sandbox.run(&CREATE);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let error = "error: the Docker Engine does not answer: no answer\n  hint: start it";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
    std::fs::remove_file(sandbox.path("bin/docker")).unwrap();
    let ran = sandbox.run(&CREATE);
    let error = "error: there is no `docker` on PATH\n  hint: ";
    assert!(ran.stderr.starts_with(error), "{ran:#?}");
}
