//! The judgements, on what containers of the good image and of broken ones did.

use super::*;
use crate::checks::fixture;
use crate::checks::fixture::{line as said, ran};

#[test]
fn nobody_becomes_another_user() {
    assert!(said(judge_su(&ran(0, "1000\n", ""))).starts_with("passed"));
    for (code, stdout, seen) in [
        (
            0,
            "uid=0(root) gid=0(root)\n1000\n",
            "`uid=0(root) gid=0(root)`, `1000`",
        ),
        (0, "0\n", "`0`"),
        (127, "", "exit 127, no output"),
    ] {
        assert_eq!(
            said(judge_su(&ran(code, stdout, ""))),
            format!("failed: {seen}")
        );
    }
}

#[test]
fn work_must_succeed_and_writing_fail() {
    let judge = |code, stdout: &str, stderr: &str| {
        said(read_only(
            &fixture::good().expected,
            &ran(code, stdout, stderr),
        ))
    };
    assert!(judge(0, "worked\n", "").starts_with("passed"));
    assert_eq!(
        judge(0, "worked\nwritten\n", ""),
        "failed: `/usr/local` can be written to"
    );
    assert_eq!(
        judge(1, "", "git: not found\n"),
        "failed: exit 1, `git: not found`"
    );
}

const DROPPED: &str = "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n\
    CapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n";
const PLAIN: &str = "CapInh:\t0000000000000000\nCapPrm:\t0000000000000000\n\
    CapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\nNoNewPrivs:\t0\n";

#[test]
fn no_set_of_capabilities_has_a_bit() {
    let judge = |contract: &str, plain: &str| {
        said(judge_no_privileges(
            &ran(0, contract, ""),
            &ran(0, plain, ""),
        ))
    };
    assert!(judge(DROPPED, PLAIN).starts_with("passed"));
    let raw = PLAIN.replace("CapEff:\t0000000000000000", "CapEff:\t0000000000002000");
    assert_eq!(
        judge(DROPPED, &raw),
        "failed: CapEff is 0000000000002000 by itself"
    );
    assert!(judge(PLAIN, PLAIN).contains("CapBnd is 00000000a80425fb as the server starts it"));
    let gains = DROPPED.replace("NoNewPrivs:\t1", "NoNewPrivs:\t0");
    assert_eq!(judge(&gains, PLAIN), "failed: NoNewPrivs is not set");
    assert_eq!(judge("", PLAIN), "failed: exit 0, no output");
}

const QUIET: &str = "= tcp
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0200110A:9C40 08080808:01BB 01 00000000:00000000 00:00000000 00000000  1000        0 1 1
= tcp6
  sl  local_address                         remote_address                        st tx_queue
= udp
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
= udp6
= unix
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000003 00000000 00000000 0001 03 20041
";

#[test]
fn listening_sockets_are_found_in_every_table() {
    assert_eq!(said(judge_listening(&ran(0, QUIET, ""))), "passed: none");
    for (after, line, seen) in [
        (
            "= tcp",
            "0: 00000000:1F90 00000000:0000 0A 0:0",
            "tcp port 8080",
        ),
        ("= tcp6", "0: 0000:0016 0000:0000 0A 0:0", "tcp6 port 22"),
        (
            "= udp",
            "0: 00000000:0035 00000000:0000 07 0:0",
            "udp port 53",
        ),
        (
            "= unix",
            "0: 00000002 00000000 00010000 0001 01 7 /tmp/s",
            "unix /tmp/s",
        ),
    ] {
        let tables = QUIET.replace(&format!("{after}\n"), &format!("{after}\n{line}\n"));
        assert_eq!(
            said(judge_listening(&ran(0, &tables, ""))),
            format!("failed: {seen}")
        );
    }
    assert_eq!(
        said(judge_listening(&ran(1, "", "no\n"))),
        "failed: exit 1, `no`"
    );
}

#[test]
fn any_user_gets_to_the_end() {
    assert!(said(judge_any_user(&ran(0, "git version 2\n4242\n", ""))).starts_with("passed"));
    let denied = ran(126, "git version 2\n", "sh: jq: Permission denied\n");
    let seen = "failed: exit 126, `sh: jq: Permission denied`";
    assert_eq!(said(judge_any_user(&denied)), seen);
    assert!(said(judge_any_user(&ran(0, "1000\n", ""))).starts_with("failed"));
}
