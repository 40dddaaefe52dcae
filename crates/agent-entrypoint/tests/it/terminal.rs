//! A pseudo-terminal, made by util-linux's `script`: the command is in its foreground and has job control.

use crate::harness::{As, Outcome, Running, binary, entrypoint, program, set_up};
use crate::watch::{children, eventually, is_over, kill};

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
    // In a session without a controlling terminal, stdin is one all the same.
    let script = "exec setsid --wait \"$0\" sh -c 'test -t 0 && exit 6'";
    let mut command = program("script");
    let line = format!("sh -c '{}' '{}'", script.replace('\'', "'\\''"), binary());
    command.args(["-q", "-e", "-c", &line, "/dev/null"]);
    set_up(&mut command);
    let outcome = Running::start(&mut command).wait();
    assert_eq!(outcome, Outcome::new(6, "", ""));
}

/// The entrypoint somewhere below a process.
fn entrypoint_below(pid: u32) -> Option<u32> {
    children(pid).into_iter().find_map(|child| {
        let exe = std::fs::read_link(format!("/proc/{child}/exe")).ok()?;
        let is_it = exe == std::path::Path::new(binary());
        is_it.then_some(child).or_else(|| entrypoint_below(child))
    })
}

#[test]
fn a_terminal_that_goes_away_ends_everything() {
    for how in As::every() {
        let script = "setsid sleep infinity & echo ready; exec sleep infinity";
        let running = on_a_terminal(how, &["sh", "-c", script]);
        read_until(&running, "ready");
        let init = eventually("the entrypoint", || entrypoint_below(running.pid()));
        let all: Vec<u32> = children(init).into_iter().chain([init]).collect();
        assert!(all.len() > 1, "{all:?}");
        // The other side of the terminal: its end is the hang-up.
        kill(running.pid(), libc::SIGKILL);
        for pid in all {
            eventually("the end of everyone", || is_over(pid).then_some(()));
        }
    }
}
