//! The judgements, on what containers of the good image and of broken ones did.

use super::*;
use crate::checks::fixture;
use crate::checks::fixture::{line as said, ran};

#[test]
fn every_variable_must_be_set() {
    for (number, code, stdout, expected) in [
        (1, 0, "1\n", "passed: `1`"),
        (2, 0, "1\n1\n", "passed: `1`, `1`"),
        (2, 1, "1\n", "failed: 1 of 2 variables set"),
        (1, 1, "", "failed: 0 of 1 variables set"),
        (1, 0, "\n", "failed: 0 of 1 variables set"),
    ] {
        assert_eq!(said(judge_set(number, &ran(code, stdout, ""))), expected);
    }
}

#[test]
fn the_version_is_the_pinned_one() {
    let mut expected = fixture::good().expected;
    let judge = |expected: &Expected, ran: &Ran| said(pinned(expected, ran));
    let good = ran(0, "2.1.330 (Claude Code)\n", "");
    assert!(judge(&expected, &good).starts_with("passed"));
    let older = ran(0, "2.1.197 (Claude Code)\n", "");
    assert_eq!(judge(&expected, &older), "failed: 2.1.197 (Claude Code)");
    assert!(judge(&expected, &ran(127, "", "")).starts_with("failed"));
    expected.claude = Err("no lock".to_owned());
    assert!(judge(&expected, &good).starts_with("not applicable"));
}

const IN: &str = r#"{"loggedIn": true, "authMethod": "claude.ai"}"#;
const OUT: &str = r#"{"loggedIn": false, "authMethod": "none"}"#;
const WARNING: &str = "agent-entrypoint: warning: \
    /home/agentgate/.claude/.credentials.json cannot be read; hint: chmod 644\n";

#[test]
fn credentials_that_can_be_read_are_a_login() {
    let judge = |auth: &Ran, logs: &str| said(judge_credentials(auth, &ran(0, "", logs)));
    assert_eq!(judge(&ran(0, IN, ""), ""), "passed: logged in");
    assert_eq!(judge(&ran(1, OUT, ""), ""), "failed: not logged in");
    assert_eq!(judge(&ran(127, "", "no\n"), ""), "failed: exit 127, `no`");
    assert!(judge(&ran(0, IN, ""), WARNING).starts_with("failed"));
}

#[test]
fn credentials_that_cannot_be_read_are_explained() {
    let judge =
        |readable, auth: &Ran, logs: &str| said(judge_owner(readable, auth, &ran(0, "", logs)));
    assert!(judge(false, &ran(1, OUT, ""), WARNING).starts_with("passed"));
    let silent = "failed: not logged in; the entrypoint says nothing";
    assert_eq!(judge(false, &ran(1, OUT, ""), ""), silent);
    assert!(judge(false, &ran(0, IN, ""), WARNING).starts_with("failed"));
    assert!(judge(true, &ran(0, IN, ""), "").starts_with("not applicable"));
}

#[test]
fn a_failure_without_network_is_json() {
    let result =
        r#"{"type":"result","is_error":true,"result":"Not logged in · Please run /login"}"#;
    let judge = |code, stdout: &str| said(judge_offline(&ran(code, stdout, "")));
    let expected = "passed: exit 1, `Not logged in · Please run /login`";
    assert_eq!(judge(1, &format!("noise\n{result}\n")), expected);
    for (code, stdout) in [
        (0, result),
        (1, "Not logged in\n"),
        (1, "{broken\n"),
        (1, r#"{"is_error":false}"#),
        (143, ""),
    ] {
        assert!(judge(code, stdout).starts_with("failed"), "{code} {stdout}");
    }
}

#[test]
fn only_three_places_may_be_written_to() {
    let judge = |lines: &[&str]| {
        let lines: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
        said(judge_writes(&ran(1, "{}", ""), &lines))
    };
    let good = [
        "C /home",
        "C /home/agentgate",
        "A /workspace/x",
        "A /tmp/claude/x",
        "C /tmp",
    ];
    assert_eq!(judge(&good), "passed: none");
    assert_eq!(judge(&[]), "passed: none");
    assert_eq!(
        judge(&["C /var", "C /var/tmp", "A /var/tmp/x"]),
        "failed: `C /var`, `C /var/tmp`, `A /var/tmp/x`"
    );
    assert_eq!(judge(&["A /home/other"]), "failed: `A /home/other`");
    assert_eq!(judge(&["D /usr/bin/jq"]), "failed: `D /usr/bin/jq`");
    let silent = judge_writes(&ran(127, "", "no\n"), &[]);
    assert_eq!(said(silent), "failed: exit 127, `no`");
}
