//! rollback.yml: a version that is withdrawn stays so, whatever is released on whichever machine.

use serde_json::json;

use super::github::Github;
use super::run::Run;

/// The type of a release record.
const RECORD: &str = "urn:agentgate:release-record:v1";

/// A text, whatever a command line, a shell, an expression or GitHub's log would take it for.
const REASON: &str =
    "--yes; 'it' \"fails\" $(touch stolen) `id` ::add-mask::latest %0A::error::x && exit 3 #";

impl Github {
    /// Started by hand, on main.
    fn roll_back(&self, reason: &str) -> Run<'_> {
        let payload = json!({"ref": "refs/heads/main"});
        let run = self.run("rollback.yml", "workflow_dispatch", "main", payload);
        run.input("reason", reason)
    }
}

/// Each job has a checkout of its own, and so no `target/`: all that is known of a version is in the registry
/// (open-telemetry/opentelemetry-collector-releases#1158: an old run that was repeated moved a tag again).
#[test]
fn a_version_that_is_withdrawn_is_latest_in_no_later_run() {
    let github = Github::new();
    let one = github.release("1.0.0");
    let tag = github.tag("1.1.0");
    let second = github.on_tag(&tag);
    second.succeeds();
    let two = github.digest(&tag).unwrap();
    assert_eq!(github.digest("latest").as_ref(), Some(&two));

    let two_lines = github.roll_back("bad\n::add-mask::latest");
    let no_version = github.roll_back("bad").input("to", "--yes $(id)");
    for run in [two_lines, no_version] {
        let ran = run.start(&[]);
        assert_eq!(ran.code, Some(1), "{ran:#?}");
        // act masks what it is told to.
        assert!(!ran.stdout.contains("***"), "{ran:#?}");
        assert_eq!(github.digest("latest").as_ref(), Some(&two));
    }
    github.roll_back(REASON).succeeds();
    assert_eq!(github.digest("latest"), one);
    assert_eq!(github.digest(&tag).as_ref(), Some(&two));
    let records = github.attested(RECORD, &two);
    let withdrawn = records.iter().find(|record| record["state"] == "withdrawn");
    let withdrawn = withdrawn.unwrap_or_else(|| panic!("{records:#?}"));
    assert_eq!(withdrawn["reason"], REASON);
    assert_eq!(withdrawn["version"], "1.1.0");

    second.again("release");
    assert_eq!(github.digest("latest"), one);
}
