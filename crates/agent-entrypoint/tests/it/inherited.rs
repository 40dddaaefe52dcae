//! What the command inherits, and what PID 1 holds on to.

use std::fs;
use std::path::Path;

use crate::harness::{As, Outcome, Running, binary, entrypoint, program, run, set_up};
use crate::watch::{eventually, kill};

/// The signal state of a program that is started by `env` with these flags, through `start`.
fn signal_state(flags: &[&str], start: &[&str]) -> String {
    let mut command = program("env");
    command.args(flags).args(start);
    command.args(["grep", "^Sig[BIC]", "/proc/self/status"]);
    set_up(&mut command);
    let outcome = run(&mut command);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    outcome.stdout
}

#[test]
fn masks_and_dispositions_are_exactly_the_callers() {
    for flags in [
        &[][..],
        &["--ignore-signal=PIPE"],
        &["--default-signal=PIPE"],
        &["--ignore-signal=CHLD", "--block-signal=CHLD"],
        &["--ignore-signal=USR1,TERM,HUP"],
        &["--block-signal=USR1,TERM,RTMIN+2"],
        &["--block-signal", "--ignore-signal=INT,QUIT"],
    ] {
        let direct = signal_state(flags, &[]);
        assert!(direct.contains("SigIgn:"), "{direct}");
        assert_eq!(signal_state(flags, &[binary()]), direct, "{flags:?}");
    }
}

#[test]
fn the_commands_descriptors_are_not_kept_open() {
    let script = "exec 9</dev/null; cd /usr; exec \"$0\" sh -c '[ -e /proc/self/fd/9 ] && pwd; exec sleep infinity'";
    let mut command = program("sh");
    command.args(["-c", script, binary()]);
    set_up(&mut command);
    let running = Running::start(&mut command);
    assert_eq!(running.line(), "/usr");
    let init = Path::new("/proc").join(running.pid().to_string());
    // The command may be quicker than its parent.
    eventually("PID 1 to hold the three streams alone", || {
        let fds = fs::read_dir(init.join("fd")).unwrap();
        let mut fds: Vec<_> = fds.map(|fd| fd.unwrap().file_name()).collect();
        fds.sort();
        (fds == ["0", "1", "2"]).then_some(())
    });
    assert_eq!(fs::read_link(init.join("cwd")).unwrap(), Path::new("/"));
    kill(running.pid(), libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(143, "", ""));
}

#[test]
fn each_stream_may_be_closed() {
    for closed in ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"] {
        for end in ["exit 3", "kill -KILL $$"] {
            let mut command = program("sh");
            let script = format!("exec \"$0\" sh -c '{end}' {closed}");
            command.args(["-c", &script, binary()]);
            set_up(&mut command);
            let code = if end == "exit 3" { 3 } else { 137 };
            assert_eq!(run(&mut command), Outcome::new(code, "", ""), "{closed}");
        }
    }
}

#[test]
fn nothing_is_added_to_what_the_command_holds() {
    let list = ["ls", "-1", "/proc/self/fd"];
    let direct = run(program(list[0]).args(&list[1..]));
    let through = run(&mut entrypoint(As::Ordinary, &list));
    assert_eq!(through, direct);
}
