//! The steps on what terminals showed: of the good image, and of images that lack something.

use super::super::fixture;
use super::*;
use crate::check::Failure;
use crate::sandbox::Ran;

/// A real session, but for the echo before bash began to read.
const SCREEN: &str = "echo '<<'\"bash\"; echo \"$BASH_VERSION\"; echo \"bash\"'>>'\r\nexit\r\n\
    agent-entrypoint: note: workspace `/workspace` is not a mount, what is written there goes with \
    the container; hint: docker run -v \"$PWD:/workspace\" …\r\n\
    bash-5.2$ echo '<<'\"bash\"; echo \"$BASH_VERSION\"; echo \"bash\"'>>'\r\n\
    <<bash\r\n5.2.15(1)-release\r\nbash>>\r\n\
    bash-5.2$ echo '<<'\"tty\"; tty; echo \"$-\"; echo \"tty\"'>>'\r\n\
    <<tty\r\n/dev/pts/0\r\nhimBHs\r\ntty>>\r\n\
    bash-5.2$ echo '<<'\"node\"; node --version; echo \"rc=$?\"; echo \"node\"'>>'\r\n\
    <<node\r\nv20.18.0\r\nrc=0\r\nnode>>\r\n\
    bash-5.2$ \r<0 claude --version; echo \"rc=$?\"; echo \"claude\"'>>'\r\n\
    <<claude\r\n2.1.330 (Claude Code)\r\nrc=0\r\nclaude>>\r\n\
    bash-5.2$ echo '<<'\"git\"; git --version; echo \"rc=$?\"; echo \"git\"'>>'\r\n\
    <<git\r\ngit version 2.39.5\r\nrc=0\r\ngit>>\r\n\
    bash-5.2$ echo '<<'\"whoami\"; whoami; echo \"rc=$?\"; echo \"whoami\"'>>'\r\n\
    <<whoami\r\nagentgate\r\nrc=0\r\nwhoami>>\r\n\
    bash-5.2$ echo '<<'\"ls\"; ls /workspace; echo \"rc=$?\"; echo \"ls\"'>>'\r\n\
    <<ls\r\nrc=0\r\nls>>\r\n\
    bash-5.2$ exit\r\nexit\r\n";

fn session(screen: &str) -> Session {
    Session {
        ran: Ran {
            stdout: screen.to_owned(),
            ..Ran::default()
        },
        left: Vec::new(),
    }
}

fn judge(id: &str, expected: &Expected, session: &Session) -> Verdict {
    let check = CHECKS.iter().find(|check| check.id == id).unwrap();
    let How::Session(judge) = check.how else {
        panic!("{id} is no step of the session");
    };
    judge(expected, session)
}

fn expected() -> Expected {
    fixture::good().expected
}

/// What is said of the real screen with `old` replaced by `new`.
fn with(id: &str, old: &str, new: &str) -> Verdict {
    assert!(SCREEN.contains(old), "{old:?}");
    judge(id, &expected(), &session(&SCREEN.replace(old, new)))
}

#[test]
fn a_good_session_passes_every_step() {
    let session = session(SCREEN);
    let seen = CHECKS
        .iter()
        .map(|check| judge(check.id, &expected(), &session));
    let passed = [
        "bash 5.2.15(1)-release",
        "interactive on /dev/pts/0",
        "v20.18.0",
        "2.1.330 (Claude Code)",
        "git version 2.39.5",
        "agentgate",
        "`/workspace` is there, empty",
        "exit code 0, and no container",
    ];
    assert_eq!(
        seen.collect::<Vec<_>>(),
        passed.map(Verdict::passed).to_vec()
    );
}

#[test]
fn every_step_can_fail() {
    for (id, old, new, seen) in [
        (
            "seed-1-build",
            "5.2.15(1)-release",
            "",
            "`bash` is another shell",
        ),
        (
            "seed-2-run",
            "/dev/pts/0",
            "not a tty",
            "`not a tty / himBHs`",
        ),
        (
            "seed-2-run",
            "himBHs",
            "hmBH",
            "a shell with the flags `hmBH`",
        ),
        ("seed-3-node", "v20.18.0", "v22.11.0", "`v22.11.0`"),
        ("seed-3-node", "v20.18.0", "v200.1.0", "`v200.1.0`"),
        (
            "seed-3-node",
            "v20.18.0\r\nrc=0",
            "bash: node: command not found\r\nrc=127",
            "exit 127, `bash: node: command not found`",
        ),
        (
            "seed-4-claude",
            "2.1.330 (",
            "2.1.197 (",
            "2.1.197 (Claude Code)",
        ),
        (
            "seed-4-claude",
            "2.1.330 (Claude Code)\r\nrc=0",
            "Terminated\r\nrc=143",
            "exit 143, `Terminated`",
        ),
        (
            "seed-4-claude",
            "2.1.330 (Claude Code)\r\n",
            "",
            "no output",
        ),
        (
            "seed-5-git",
            "git version 2",
            "hub version 2",
            "`hub version 2.39.5`",
        ),
        ("seed-6-whoami", "agentgate\r", "root\r", "root"),
        (
            "seed-7-workspace",
            "<<ls\r\nrc=0",
            "<<ls\r\nls: can't open '/workspace': Permission denied\r\nrc=1",
            "exit 1, `ls: can't open '/workspace': Permission denied`",
        ),
    ] {
        match with(id, old, new) {
            Verdict::Failed(failure) => {
                assert_eq!(failure.seen, seen, "{id}");
                // What `timeout` ended may have had too little of a busy machine.
                assert_eq!(failure.is_slow, seen.contains("143"), "{id}");
            }
            other => panic!("{id}: {other:?}"),
        }
    }
}

#[test]
fn the_version_of_node_is_as_exact_as_it_is_asked_for() {
    for (wanted, passes, text) in [
        ("20", true, "v20.x"),
        ("20.18", true, "v20.18.x"),
        ("20.18.0", true, "v20.18.0"),
        ("20.1", false, "v20.1.x"),
        ("2", false, "v2.x"),
        ("20.18.00", false, "v20.18.00"),
    ] {
        let expected = Expected {
            node: Ok(wanted.to_owned()),
            ..expected()
        };
        match judge("seed-3-node", &expected, &session(SCREEN)) {
            Verdict::Passed(_) => assert!(passes, "{wanted}"),
            Verdict::Failed(failure) => {
                assert!(!passes, "{wanted}");
                assert_eq!(failure.expected, text);
            }
            other @ Verdict::NotApplicable(_) => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_base_without_a_version_takes_any_node_that_claude_takes() {
    for (said, passes) in [
        ("v18.0.0", true),
        ("v24.1.0", true),
        ("v16.20.2", false),
        ("20.18.0", false),
    ] {
        let expected = Expected {
            node: Err("the base says none".to_owned()),
            ..expected()
        };
        let screen = SCREEN.replace("v20.18.0", said);
        match judge("seed-3-node", &expected, &session(&screen)) {
            Verdict::Passed(text) => {
                assert!(passes && text.contains("the base says none"), "{text}");
            }
            Verdict::Failed(failure) => {
                assert!(!passes, "{said}");
                assert_eq!(failure.expected, "v18 or later");
            }
            other @ Verdict::NotApplicable(_) => panic!("{other:?}"),
        }
    }
}

#[test]
fn without_a_pin_any_version_of_claude_passes_and_that_is_said() {
    let expected = Expected {
        claude: Err("no lock".to_owned()),
        ..expected()
    };
    assert_eq!(
        judge("seed-4-claude", &expected, &session(SCREEN)),
        Verdict::passed("2.1.330 (Claude Code); any will do: no lock")
    );
    let other = session(&SCREEN.replace("2.1.330 (Claude Code)", "hello"));
    assert!(matches!(
        judge("seed-4-claude", &expected, &other),
        Verdict::Failed(_)
    ));
}

#[test]
fn what_is_left_or_ends_badly_is_told() {
    let left = Session {
        left: vec!["agentgate-verify-1 (Up 2 seconds)".to_owned()],
        ..session(SCREEN)
    };
    let failure = Failure {
        seen: "left: agentgate-verify-1 (Up 2 seconds)".to_owned(),
        expected: "exit code 0, and no container".to_owned(),
        remedy: None,
        is_slow: false,
    };
    assert_eq!(
        judge("seed-8-exit", &expected(), &left),
        Verdict::Failed(failure)
    );
    let mut bad = session(SCREEN);
    bad.ran.code = 137;
    assert!(matches!(
        judge("seed-8-exit", &expected(), &bad),
        Verdict::Failed(failure) if failure.seen == "exit 137, `exit`"
    ));
}

/// The typed text alone, echoed by the terminal, answers nothing.
#[test]
fn a_session_that_only_echoes_fails_every_step() {
    let mut session = session(&TYPED.replace('\n', "\r\n"));
    session.ran.code = 1;
    for check in CHECKS {
        match judge(check.id, &expected(), &session) {
            Verdict::Failed(failure) => assert!(
                failure.seen.ends_with("exit 1, `exit`"),
                "{}: {failure:?}",
                check.id
            ),
            other => panic!("{}: {other:?}", check.id),
        }
    }
}

#[test]
fn escape_sequences_are_no_part_of_an_answer() {
    for (text, plain_text) in [
        ("\u{1b}[?2004l\rv20\u{1b}[0m", "\nv20"),
        ("\u{1b}]0;title\u{7}a\u{1b}(Bb\u{1b}=", "ab"),
        ("a\u{7}b\r\nc\u{8}", "ab\n\nc"),
    ] {
        assert_eq!(plain(text), plain_text, "{text:?}");
    }
    let framed = SCREEN.replace("v20.18.0", "\u{1b}[?2004l\r\u{1b}[1mv20.18.0\u{1b}[0m");
    assert_eq!(
        judge("seed-3-node", &expected(), &session(&framed)),
        Verdict::passed("v20.18.0")
    );
}
