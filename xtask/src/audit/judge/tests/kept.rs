//! Records, proofs and lists, each with one thing wrong.

use super::*;
use crate::audit::kept::FaultyList;
use crate::refusal::Refusal;

fn two() -> ReleaseRecord {
    record(
        &Version::new(2, 0, 0),
        &digest("two"),
        ReleaseState::Released,
    )
}

#[test]
fn a_record_that_is_missing_is_a_note_until_there_are_some() {
    let no_record = |facts: &mut AuditedRepository| {
        for version in ["1.0.0", "2.0.0", "2.1.0-rc.1"] {
            facts.recorded(version, Recorded::Absent);
        }
    };
    let note = "note: a/b has no release record: its versions were published before there were any";
    assert_eq!(found(no_record), [note]);
    // Who begins with `--adopt` at `latest` need not adopt every older version.
    let older = |facts: &mut AuditedRepository| {
        facts.recorded("1.0.0", Recorded::Absent);
        facts.kept("1.0.0").attested.proofs[0] = Err("no proof is attached to it".to_owned());
    };
    let notes = [
        "note: a/b:v1.0.0 has no release record, and other versions have one",
        "note: a/b:v1.0.0 is not proven for linux/amd64: no proof is attached to it",
    ];
    assert_eq!(found(older), notes);
    let at_latest = |facts: &mut AuditedRepository| facts.recorded("2.0.0", Recorded::Absent);
    let found_there = found(at_latest);
    assert_eq!(found_there.len(), 2, "{found_there:?}");
    let latest = "a/b:latest leads to `v2.0.0` (`";
    assert!(found_there[1].starts_with(latest), "{found_there:?}");
    assert!(
        found_there[1].ends_with("which has no release record"),
        "{found_there:?}"
    );
    // What is no image has that against it already.
    let odd = |facts: &mut AuditedRepository| {
        let version = "1.0.0".parse().unwrap();
        facts.kept.versions.remove(&version);
    };
    assert_eq!(found(odd), [""; 0]);
}

#[test]
fn a_record_says_what_its_tags_say_or_something_is_wrong() {
    let doubted = |facts: &mut AuditedRepository| {
        facts.recorded("1.0.0", Recorded::doubted("it is not\n\u{1b}[2J signed"));
    };
    only(
        &found(doubted),
        "a/b:v1.0.0 has a record that is not believed: it is not \\u{1b}[2J signed",
    );
    let other = |facts: &mut AuditedRepository| {
        let mut other = two();
        other.digest = digest("other");
        facts.recorded("2.0.0", Recorded::Believed(other));
    };
    let why = format!(
        "a/b:v2.0.0 is `{}`, and its record says `{}`",
        digest("two"),
        digest("other")
    );
    assert_eq!(found(other), [why]);
    let mut later = two();
    later.sequence = 2;
    let put_back = |facts: &mut AuditedRepository| {
        facts.kept("2.0.0").attested.records.newest = Recorded::Displaced(later.clone());
    };
    only(
        &found(put_back),
        "a/b:v2.0.0 has its record 1 (`released`) under `a/b:state-v2.0.0` again, and the newest is 2 \
         (`released`)",
    );
    let deleted = |facts: &mut AuditedRepository| {
        let records = &mut facts.kept("2.0.0").attested.records;
        records.tagged = Recorded::Absent;
        records.newest = Recorded::Displaced(later.clone());
    };
    only(
        &found(deleted),
        "a/b:v2.0.0 has its record 2 (`released`) among the referrers, not under `a/b:state-v2.0.0`",
    );
    let stray = |facts: &mut AuditedRepository| facts.kept.strays.push(Version::new(3, 0, 0));
    only(
        &found(stray),
        "note: a/b:state-v3.0.0 is a record, and `v3.0.0` is not published",
    );
}

#[test]
fn a_platform_that_nobody_has_proven_is_wrong_unless_nobody_is_to_use_it() {
    let unproven = |facts: &mut AuditedRepository| {
        let why = "no proof is attached to it".to_owned();
        facts.kept("1.0.0").attested.proofs[1] = Err(why);
    };
    only(
        &found(unproven),
        "a/b:v1.0.0 is not proven for linux/arm64: no proof is attached to it",
    );
    let withdrawn = |facts: &mut AuditedRepository| {
        unproven(facts);
        facts.withdraw("1.0.0");
    };
    assert_eq!(found(withdrawn), [""; 0]);
    let nobody = |facts: &mut AuditedRepository| {
        facts.believed = Believed::Nobody;
        for kept in facts.kept.versions.values_mut() {
            kept.attested.proofs.clear();
        }
    };
    let note = "note: a/b has no proof that is believed: there are no `proof` settings";
    assert_eq!(found(nobody), [note]);
    // Which version is withdrawn is not known then.
    let unknown = |facts: &mut AuditedRepository| {
        facts.believed = Believed::Unknown(Refusal::new("no cosign", "install it"));
        facts.kept.versions.clear();
        facts.tags[0] = tag("latest", "one");
    };
    let why = "a/b has proofs and records that cannot be judged: no cosign";
    assert_eq!(found(unknown), [why]);
}

#[test]
fn latest_counts_by_the_records() {
    let all = |facts: &mut AuditedRepository| {
        facts.withdraw("1.0.0");
        facts.recorded("2.0.0", Recorded::doubted("x"));
    };
    let doubted = found(all);
    assert_eq!(doubted.len(), 2, "{doubted:?}");
    assert!(
        doubted[1].contains("no stable version counts"),
        "{doubted:?}"
    );
    // A record under no tag counts as well.
    let displaced = |facts: &mut AuditedRepository| {
        let mut withdrawn = two();
        withdrawn.sequence = 2;
        withdrawn.state = ReleaseState::Withdrawn;
        withdrawn.reason = Some("\u{1b}[2J::add-mask::".to_owned());
        facts.kept("2.0.0").attested.records.newest = Recorded::Displaced(withdrawn);
    };
    let displaced = found(displaced);
    assert_eq!(displaced.len(), 2, "{displaced:?}");
    assert!(
        displaced[1].ends_with(": \\u{1b}[2J::add-mask::"),
        "{displaced:?}"
    );
}

#[test]
fn a_list_that_leads_nowhere_is_a_warning_and_said_once() {
    let name = format!("sha256-{}", digest("two").hex());
    let list = || FaultyList {
        tag: name.clone(),
        ..FaultyList::default()
    };
    let with = |list: FaultyList| found(|facts| facts.kept.lists.push(list.clone()));
    let reference = format!("warning: a/b:{name}");
    let gone = digest("gone");
    let dangling = FaultyList {
        dangling: vec![gone.clone()],
        ..list()
    };
    let why =
        format!("{reference} lists what is gone (`{gone}`): cosign cannot attach anything there");
    assert_eq!(with(dangling.clone()), std::slice::from_ref(&why));
    // With `--all` its tag is read like any other.
    let listed = found(|facts| {
        facts.kept.lists.push(dangling);
        let mut list = tag(&name, "list");
        list.broken = vec![format!("its manifest `{gone}` is missing")];
        facts.tags.push(list);
    });
    assert_eq!(listed, [why]);
    let many = FaultyList {
        dangling: ["a", "b", "c", "d", "e"].map(digest).to_vec(),
        ..list()
    };
    only(&with(many), " and 2 more): cosign");
    let fault = FaultyList {
        fault: Some("`a/b:x` is no list: it is\u{1b} an image; hint: delete it".to_owned()),
        ..list()
    };
    let counts = "counts as empty: `a/b:x` is no list: it is\\u{1b} an image";
    assert_eq!(with(fault), [format!("{reference} {counts}")]);
    let subject = FaultyList {
        is_subject_gone: true,
        ..list()
    };
    only(
        &with(subject),
        "lists what is attached to a manifest that is gone",
    );
}
