//! What people follow, and its age.

use super::*;
use crate::audit::age::{Age, BaseAge, ClaudeAge};

/// The good repository and `dev`, with days for each tag; `None` is not known.
fn aged(days: &[(&str, Option<u64>)]) -> AuditedRepository {
    let mut facts = good();
    facts.tags.push(tag("dev", "four"));
    for (name, days) in days {
        let tag = facts.tags.iter_mut().find(|tag| tag.name == *name).unwrap();
        tag.age = Some(Age {
            built: None,
            days: *days,
            base: BaseAge::default(),
            claude: ClaudeAge::default(),
        });
    }
    facts
}

fn found(facts: AuditedRepository, max_age: Option<u32>) -> Vec<String> {
    let findings = judge(&[facts], &of_git(), max_age);
    assert!(findings.iter().all(|one| one.severity == Severity::Error));
    let findings = findings.iter();
    findings
        .map(|one| format!("{} {}", one.reference, one.why))
        .collect()
}

#[test]
fn what_people_follow_may_be_so_old_and_no_older() {
    let all = [
        ("latest", Some(30)),
        ("dev", Some(1)),
        ("v2.0.0", Some(30)),
        ("v1.0.0", Some(900)),
    ];
    assert_eq!(found(aged(&all), None), [""; 0]);
    // Nobody can make v1.0.0 any younger.
    assert_eq!(found(aged(&all), Some(30)), [""; 0]);
    let old = "a/b:latest was built 30 days ago, and `--max-age` is 29";
    assert_eq!(found(aged(&all), Some(29)), [old]);
    let dev = "a/b:dev was built 1 day ago, and `--max-age` is 0";
    assert_eq!(found(aged(&all), Some(0)).last().unwrap(), dev);
}

#[test]
fn an_age_that_is_not_known_is_no_pass() {
    let all = [("latest", None), ("dev", Some(0))];
    assert_eq!(found(aged(&all), None), [""; 0]);
    let found = found(aged(&all), Some(u32::MAX));
    assert!(
        found[0].starts_with("a/b:latest is of an age that is not known"),
        "{found:?}"
    );
    assert_eq!(found.len(), 1);
}

#[test]
fn without_latest_the_highest_version_counts() {
    let mut facts = aged(&[
        ("v2.0.0", Some(9)),
        ("v2.1.0-rc.1", Some(5)),
        ("v1.0.0", Some(900)),
    ]);
    facts.tags.retain(|tag| tag.name != "latest");
    let found = found(facts, Some(3));
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[1].contains("a/b:v2.1.0-rc.1 was built 5 days ago"),
        "{found:?}"
    );
}

#[test]
fn a_version_counts_until_it_is_withdrawn() {
    let two = Version::new(2, 0, 0);
    let mut facts = good();
    assert!(facts.kept.counts(&two));
    facts.withdraw("2.0.0");
    assert!(!facts.kept.counts(&two));
    facts.recorded("2.0.0", Recorded::Absent);
    assert!(!facts.kept.counts(&two));
    // In a repository without any record each does.
    for version in ["1.0.0", "2.1.0-rc.1"] {
        facts.recorded(version, Recorded::Absent);
    }
    assert!(facts.kept.counts(&two));
}
