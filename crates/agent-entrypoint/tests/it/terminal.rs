//! A pseudo-terminal, made by util-linux's `script`: the command is in its foreground and has job control.
//!
//! When the test itself holds the terminal's other side, the kernel's `/dev/ptmx` makes one.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use rustix::termios::{Winsize, tcsetwinsize};

use crate::harness::{As, binary, entrypoint, program, set_up};
use crate::running::{Outcome, Running};
use crate::via::entrypoint_via;
use crate::watch::{eventually, kill, state};

/// The entrypoint with a terminal of its own; `script` gives its exit code and passes keys on.
fn on_a_terminal(how: As, arguments: &[&str]) -> Running {
    let inner = entrypoint(how, arguments);
    let words: Vec<String> = std::iter::once(inner.get_program())
        .chain(inner.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap().replace('\'', "'\\''")))
        .collect();
    let mut command = program("script");
    command
        .args(["-q", "-e", "-c", &words.join(" "), "/dev/null"])
        .env("TERM", "dumb");
    set_up(&mut command);
    Running::start(&mut command)
}

/// Reads on until a line says what is expected: on a terminal stderr and echoed keys come between.
fn read_until(running: &Running, expected: &str) -> String {
    let mut seen = String::new();
    loop {
        let line = running.next_line();
        let line = line.unwrap_or_else(|| panic!("no `{expected}` in:\n{seen}"));
        seen += &line;
        seen += "\n";
        if line == expected {
            return seen;
        }
    }
}

#[test]
fn the_command_is_in_the_foreground() {
    let script = "read -r pid name state parent group session tty foreground rest </proc/$$/stat
        [ \"$group\" = \"$foreground\" ] && echo foreground";
    for how in As::every() {
        let running = on_a_terminal(how, &["sh", "-c", script]);
        read_until(&running, "foreground");
        assert_eq!(running.wait().code, Some(0), "{how:?}");
    }
}

#[test]
fn control_c_ends_the_command() {
    for how in As::every() {
        let mut running = on_a_terminal(how, &["sh", "-c", "echo ready; exec sleep infinity"]);
        read_until(&running, "ready");
        running.type_in("\x03");
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(130), "{how:?} {outcome:?}");
    }
}

#[test]
fn an_interactive_shell_has_job_control() {
    for how in As::every() {
        let mut running = on_a_terminal(how, &["bash", "--norc", "--noprofile", "-i"]);
        running.type_in("PS1=; stty -echo; echo go\n");
        let mut seen = read_until(&running, "go");
        running.type_in("sleep 300 & jobs %1 >/dev/null && echo job-is-there\n");
        seen += &read_until(&running, "job-is-there");
        // Control-Z stops the foreground job; the shell is back, and can end it.
        running.type_in("sh -c 'echo job-runs; kill -TSTP $$; echo job-continued'\n");
        seen += &read_until(&running, "job-runs");
        running.type_in("fg %2 >/dev/null\n");
        seen += &read_until(&running, "job-continued");
        running.type_in("kill %1; exit 9\n");
        let outcome = running.wait();
        assert_eq!(outcome.code, Some(9), "{how:?} {outcome:?}");
        for trouble in ["no job control", "cannot set terminal"] {
            assert!(!seen.contains(trouble), "{how:?} {seen}");
        }
    }
}

#[test]
fn a_terminal_that_is_not_ours_is_survived() {
    // The session has no controlling terminal, and stdin is a terminal all the same.
    let script = "exec setsid --wait \"$0\" sh -c 'test -t 0 && exit 6'";
    let mut command = program("script");
    let line = format!("sh -c '{}' '{}'", script.replace('\'', "'\\''"), binary());
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    set_up(&mut command);
    let outcome = Running::start(&mut command).wait();
    assert_eq!(outcome, Outcome::new(6, "", ""));
}

/// The entrypoint as the leader of a session whose terminal is its stdin, as `docker run -it` starts it,
/// and the terminal's other side.
///
/// stdout is a pipe, as everywhere here: what is echoed does not mix with what the command says.
fn leads_a_session(how: As, arguments: &[&str]) -> (Running, File) {
    let mut options = File::options();
    options.read(true).write(true);
    let master = options.custom_flags(libc::O_NOCTTY).open("/dev/ptmx");
    let master = master.unwrap();
    resize(&master, 24, 80);
    rustix::pty::grantpt(&master).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let name = rustix::pty::ptsname(&master, Vec::new()).unwrap();
    let script = "exec \"$0\" \"$@\" <>\"$TERMINAL\"";
    let caller = ["sh", "-c", script, "setsid", "--ctty"];
    let mut command = entrypoint_via(how, &caller, arguments);
    command.env("TERMINAL", name.to_str().unwrap());
    (Running::start(&mut command), master)
}

fn resize(terminal: &File, rows: u16, columns: u16) {
    let size = Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).unwrap();
}

#[test]
fn what_is_typed_goes_to_the_command() {
    for how in As::every() {
        let (running, mut terminal) = leads_a_session(how, &["cat"]);
        terminal.write_all(b"hello\n").unwrap();
        assert_eq!(running.line(), "hello", "{how:?}");
        // Control-D is the end of the file.
        terminal.write_all(b"\x04").unwrap();
        assert_eq!(running.wait(), Outcome::new(0, "", ""), "{how:?}");
    }
}

#[test]
fn a_new_window_size_reaches_the_command() {
    let script = "trap 'stty size' WINCH; stty size; echo ready; while :; do read -r line; done";
    for how in As::every() {
        let (running, terminal) = leads_a_session(how, &["sh", "-c", script]);
        assert_eq!(running.line(), "24 80", "{how:?}");
        assert_eq!(running.line(), "ready");
        resize(&terminal, 50, 132);
        assert_eq!(running.line(), "50 132", "{how:?}");
        kill(running.init(), libc::SIGTERM);
        assert_eq!(running.wait(), Outcome::new(143, "", ""));
    }
}

#[test]
fn a_hang_up_is_passed_on_and_ends_it_all() {
    // The kernel signals only the leader of the session. A daemon in another session is left when the
    // command has ended, and gets SIGTERM then.
    let script = "trap 'echo hung up; exit 4' HUP; (setsid sleep infinity &)
        echo ready; while :; do read -r line; done";
    for how in As::every() {
        let (running, terminal) = leads_a_session(how, &["sh", "-c", script]);
        assert_eq!(running.line(), "ready");
        drop(terminal);
        let outcome = running.wait();
        assert_eq!(outcome, Outcome::new(4, "hung up\n", ""), "{how:?}");
    }
}

#[test]
fn a_hang_up_by_default_ends_the_command_and_not_keep_alive_mode() {
    for how in As::every() {
        let (running, terminal) = leads_a_session(how, &["sleep", "1000000"]);
        sleeps(running.child());
        drop(terminal);
        assert_eq!(running.wait(), Outcome::new(129, "", ""), "{how:?}");

        let (running, terminal) = leads_a_session(how, &[]);
        let init = running.init();
        sleeps(init);
        drop(terminal);
        sleeps(init);
        kill(init, libc::SIGTERM);
        assert_eq!(running.wait(), Outcome::new(0, "", ""), "{how:?}");
    }
}

fn sleeps(pid: u32) {
    eventually("sleep", || (state(pid) == Some('S')).then_some(()));
}

#[test]
fn control_c_ends_keep_alive_mode() {
    for how in As::every() {
        let (running, mut terminal) = leads_a_session(how, &["sleep", "infinity"]);
        sleeps(running.init());
        terminal.write_all(b"\x03").unwrap();
        assert_eq!(running.wait(), Outcome::new(0, "", ""), "{how:?}");
    }
}

/// Yelp/dumb-init#184, anthropics/claude-code#36976: a terminal whose command has stopped, and no shell
/// to say `fg` to.
#[test]
fn a_command_that_stops_on_its_terminal_goes_on() {
    let script = "trap 'echo continued' CONT; echo ready
        while :; do read -r line && { echo \"got $line\"; [ \"$line\" != stop ] || kill -STOP $$; }; done";
    for how in As::every() {
        let (running, mut terminal) = leads_a_session(how, &["sh", "-c", script]);
        let mut type_in = |keys: &[u8]| terminal.write_all(keys).unwrap();
        assert_eq!(running.line(), "ready");
        for _ in 0..3 {
            type_in(b"\x1a");
            assert_eq!(running.line(), "continued", "{how:?}");
        }
        type_in(b"stop\n");
        assert_eq!(running.line(), "got stop");
        assert_eq!(running.line(), "continued", "{how:?}");
        type_in(b"hello\n");
        assert_eq!(running.line(), "got hello");
        kill(running.init(), libc::SIGTERM);
        assert_eq!(running.wait().code, Some(143), "{how:?}");
    }
}
