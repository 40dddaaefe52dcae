//! Command mode: status, messages, environment, process state, and what the command leaves behind.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Instant;

use crate::harness::{
    As, GRACE, binary, entrypoint, entrypoint_as, folder, is_root, needs_root, program, set_up,
    write_program,
};
use crate::running::{Outcome, Running, run};

/// Signals whose default is neither death nor always possible to send: CHLD, URG, WINCH, CONT, and the stops.
const HARMLESS: [i32; 8] = [17, 18, 19, 20, 21, 22, 23, 28];

#[test]
fn every_exit_code_is_the_commands() {
    for how in As::every() {
        for code in 0..=255 {
            let script = format!("exit {code}");
            let outcome = run(&mut entrypoint(how, &["sh", "-c", &script]));
            assert_eq!(outcome, Outcome::new(code, "", ""), "{how:?}");
        }
    }
}

#[test]
fn death_by_any_signal_is_128_and_its_number() {
    for how in As::every() {
        for signal in (1..=31).chain(34..=64) {
            if HARMLESS.contains(&signal) {
                continue;
            }
            let script = format!("ulimit -c 0; kill -{signal} $$");
            let outcome = run(&mut entrypoint(how, &["sh", "-c", &script]));
            let expected = Outcome::new(128 + signal, "", "");
            assert_eq!(outcome, expected, "{how:?}, signal {signal}");
        }
    }
}

#[test]
fn a_command_that_does_not_start_is_named() {
    let dir = folder();
    let script = dir.path().join("script");
    write_program(&script, "#!/no/such/interpreter\n");
    let plain = dir.path().join("plain");
    fs::write(&plain, "no program").unwrap();
    let (script, plain) = (script.to_str().unwrap(), plain.to_str().unwrap());
    for how in As::every() {
        for (arguments, code, text) in [
            (
                &["no-such-command", "x"][..],
                127,
                "command not found: `no-such-command`".to_owned(),
            ),
            (
                &["--", "health"],
                127,
                "command not found: `health`".to_owned(),
            ),
            (&[""], 127, "command not found: ``".to_owned()),
            (
                &[script],
                127,
                format!(
                    "cannot execute `{script}`: its interpreter or dynamic loader is not in this image"
                ),
            ),
            (
                &[plain],
                126,
                format!("cannot execute `{plain}`: Permission denied (errno 13)"),
            ),
            (
                &["/etc"],
                126,
                "cannot execute `/etc`: Permission denied (errno 13)".to_owned(),
            ),
        ] {
            let outcome = run(&mut entrypoint(how, arguments));
            let stderr = format!("{}agent-entrypoint: error: {text}\n", "");
            assert_eq!(outcome, Outcome::new(code, "", &stderr), "{how:?}");
        }
    }
}

#[test]
fn a_closed_folder_in_path_does_not_hide_that_nothing_is_there() {
    if needs_root("a_closed_folder_in_path_does_not_hide_that_nothing_is_there") {
        return;
    }
    let closed = folder();
    fs::set_permissions(closed.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let mut path = OsString::from(closed.path());
    path.push(":/usr/bin:/bin");
    let mut command = entrypoint_as(1234, &["no-such-command"]);
    let outcome = run(command.env("PATH", path).env("WORKSPACE", "/tmp"));
    let text = "agent-entrypoint: error: command not found: `no-such-command`\n";
    assert_eq!(outcome, Outcome::new(127, "", text));
}

#[test]
fn stdin_and_stdout_are_the_commands() {
    for how in As::every() {
        let mut running = Running::start(&mut entrypoint(how, &["cat"]));
        running.type_in("hello\n");
        assert_eq!(running.line(), "hello");
        assert_eq!(running.wait(), Outcome::new(0, "", ""));
    }
}

#[test]
fn closed_streams_are_survived() {
    let script = "exec \"$0\" sh -c 'exit 3' <&- >&- 2>&-";
    let mut command = program("sh");
    set_up(command.args(["-c", script, binary()]));
    let outcome = run(&mut command);
    assert_eq!(outcome, Outcome::new(3, "", ""));
}

#[test]
fn missing_variables_are_set_and_given_ones_kept() {
    let print = "echo \"$HOME|$USER|$LOGNAME|$SHELL|$LANG|$TMPDIR|$PATH|$TERM\"";
    let given = [
        ("HOME", "/h"),
        ("USER", "u"),
        ("LOGNAME", "l"),
        ("SHELL", "/s"),
        ("LANG", "de"),
        ("TMPDIR", "/var/tmp"),
        ("PATH", "/bin"),
    ];
    // Somebody who is not root, and in `/etc/passwd`.
    let (uid, start): (_, fn(&[&str]) -> Command) = if is_root() {
        (1, |arguments| entrypoint_as(1, arguments))
    } else {
        let uid = rustix::process::geteuid().as_raw();
        (uid, |arguments| entrypoint(As::Ordinary, arguments))
    };
    let workspace = folder();
    let bare = |arguments: &[&str]| {
        let mut command = start(arguments);
        command.env_clear().env("WORKSPACE", workspace.path());
        command.env("AGENT_ENTRYPOINT_QUIET", "1");
        command
    };
    let mut all = bare(&["/bin/sh", "-c", print]);
    all.envs(given);
    assert_eq!(
        run(&mut all),
        Outcome::new(0, "/h|u|l|/s|de|/var/tmp|/bin|\n", "")
    );

    let outcome = run(&mut bare(&["/usr/bin/env"]));
    let passwd = fs::read_to_string("/etc/passwd").unwrap();
    let uid = uid.to_string();
    let account: Vec<&str> = passwd
        .lines()
        .map(|line| line.split(':').collect::<Vec<_>>())
        .find(|fields| fields[2] == uid)
        .unwrap();
    for line in [
        format!("HOME={}", account[5]),
        format!("USER={}", account[0]),
        format!("LOGNAME={}", account[0]),
        format!("SHELL={}", account[6]),
        "LANG=C.UTF-8".to_owned(),
        "TMPDIR=/tmp".to_owned(),
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
    ] {
        assert!(
            outcome.stdout.lines().any(|seen| seen == line),
            "{line} {outcome:?}"
        );
    }
    assert!(!outcome.stdout.contains("TERM="), "{outcome:?}");
}

/// A signal mask that the command sees in itself, when the entrypoint was started through `env`.
fn seen_by_command(env_flag: &str, name: &str) -> u64 {
    let mut command = program("env");
    command.args([env_flag, binary(), "grep", name, "/proc/self/status"]);
    set_up(&mut command);
    let outcome = run(&mut command);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let mask = outcome.stdout.split_whitespace().last().unwrap();
    u64::from_str_radix(mask, 16).unwrap()
}

#[test]
fn the_callers_signal_mask_and_ignored_child_signal_reach_the_command() {
    let usr1 = 1 << (libc::SIGUSR1 - 1);
    let child = 1 << (libc::SIGCHLD - 1);
    assert_eq!(seen_by_command("--block-signal=USR1", "SigBlk"), usr1);
    assert_eq!(seen_by_command("--default-signal=USR1", "SigBlk"), 0);
    // With CHLD ignored the kernel would swallow the status; `seen_by_command` asserts that it did not.
    assert_eq!(
        seen_by_command("--ignore-signal=CHLD", "SigIgn") & child,
        child
    );
    assert_eq!(
        seen_by_command("--default-signal=CHLD", "SigIgn") & child,
        0
    );
}

#[test]
fn the_command_leads_its_own_process_group() {
    let script = "read -r pid name state parent group rest </proc/$$/stat; echo $((group - pid))";
    for how in As::every() {
        let outcome = run(&mut entrypoint(how, &["sh", "-c", script]));
        assert_eq!(outcome, Outcome::new(0, "0\n", ""), "{how:?}");
    }
}

/// A daemon in a session of its own, left behind by a command that ends with 5 when the daemon is ready.
fn leaves_a_daemon(daemon: &str) -> String {
    format!(
        "mkfifo \"$DIR/ready\"; DAEMON='{daemon}'; export DAEMON
        (setsid sh -c 'exec 2>/dev/null; eval \"$DAEMON\"; echo >\"$DIR/ready\"; while :; do sleep 1; done' &)
        read -r line <\"$DIR/ready\"; exit 5"
    )
}

#[test]
fn what_the_command_leaves_gets_a_chance_to_end() {
    let script = leaves_a_daemon("trap \"echo daemon ended; exit\" TERM");
    for how in As::every() {
        let dir = folder();
        let outcome = run(entrypoint(how, &["sh", "-c", &script]).env("DIR", dir.path()));
        let expected = Outcome::new(5, "daemon ended\n", "");
        assert_eq!(outcome, expected, "{how:?}");
    }
}

#[test]
fn what_ignores_the_chance_is_killed() {
    let script = leaves_a_daemon("trap \"\" TERM");
    for how in As::every() {
        let dir = folder();
        let start = Instant::now();
        // The daemon holds stdout: if it lived, the run would not be over for the harness.
        let outcome = run(entrypoint(how, &["sh", "-c", &script]).env("DIR", dir.path()));
        let stderr = "agent-entrypoint: warning: killing the processes that did not end within 4 s of SIGTERM\n";
        assert_eq!(outcome, Outcome::new(5, "", stderr), "{how:?}");
        assert!(start.elapsed() >= GRACE, "{how:?}");
    }
}
