//! Storms of signals: queued ones are all passed on, and the others cost neither a status nor a zombie.

use crate::harness::{As, entrypoint, folder, program};
use crate::running::{Outcome, Running, run};
use crate::watch::{eventually, kill, state};

/// As many as a usual machine queues several times over for one user.
const STORM: usize = 2000;
const SENDERS: usize = 4;
/// SIGRTMIN+1: the C library keeps 32 and 33 for itself, 34 is the first that is left.
const COUNTED: i32 = 35;
/// The last number there is: whoever takes signals in the kernel's order gets it behind all the others.
const LAST: i32 = 64;

/// Set for the process that counts, see [`counter`].
const COUNTER: &str = "ENTRYPOINT_TEST_COUNTER";

/// Not a test but the command of one, in a process of its own: a shell's traps do not count queued signals.
#[test]
fn counter() {
    if std::env::var_os(COUNTER).is_none() {
        return;
    }
    // The test framework has left its line open.
    println!("\nREADY");
    let mut count = 0;
    while wait_for_one_of(&[COUNTED, LAST]) != LAST {
        count += 1;
    }
    println!("COUNT {count}");
    std::process::exit(0);
}

/// Takes the next of these signals; the caller has blocked them before there were threads.
#[expect(unsafe_code, reason = "neither std nor rustix waits for signals")]
fn wait_for_one_of(signals: &[i32]) -> i32 {
    // SAFETY: the set is filled by `sigemptyset`, is live during each call, and null asks for no details.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        libc::sigwaitinfo(&raw const set, std::ptr::null_mut())
    }
}

/// Sends so many signals, as fast as a shell can.
fn sender(pid: u32, signal: i32, count: usize) -> Running {
    let script = "i=0; while [ $i -lt $2 ]; do kill -$1 $0 || exit 1; i=$((i + 1)); done";
    let mut command = program("bash");
    command.args(["-c", script, &pid.to_string()]);
    Running::start(command.args([signal.to_string(), count.to_string()]))
}

/// How many signals may be queued for one user, by the shell that all of this descends from.
fn queue_limit() -> usize {
    let outcome = run(program("bash").args(["-c", "ulimit -i"]));
    outcome.stdout.trim().parse().unwrap_or(usize::MAX)
}

#[test]
fn queued_signals_are_all_counted() {
    if queue_limit() < 3 * STORM {
        eprintln!("NOT RUN: queued_signals_are_all_counted: `ulimit -i` is too low");
        return;
    }
    // Where the user that the entrypoint becomes can execute it.
    let dir = folder();
    let copy = dir.path().join("counter");
    let own = std::env::current_exe().unwrap();
    let copied = run(program("cp").args([&own, &copy]));
    assert_eq!(copied, Outcome::new(0, "", ""));
    let blocked = format!("--block-signal={COUNTED},{LAST}");
    let arguments = [
        "env",
        &blocked,
        copy.to_str().unwrap(),
        "--exact",
        "storms::counter",
        "--nocapture",
        "--test-threads=1",
    ];
    for how in As::every() {
        // As they come, and all at once: whoever is stopped finds the whole storm when it goes on.
        for at_once in [false, true] {
            let running = Running::start(entrypoint(how, &arguments).env(COUNTER, "1"));
            while running.line() != "READY" {}
            let init = running.init();
            if at_once {
                kill(init, libc::SIGSTOP);
                eventually("the stop", || (state(init) == Some('T')).then_some(()));
            }
            let senders: Vec<_> = (0..SENDERS)
                .map(|_| sender(init, COUNTED, STORM / SENDERS))
                .collect();
            for sender in senders {
                assert_eq!(sender.wait(), Outcome::new(0, "", ""));
            }
            kill(init, LAST);
            if at_once {
                kill(init, libc::SIGCONT);
            }
            assert_eq!(running.line(), format!("COUNT {STORM}"), "{how:?}");
            assert_eq!(running.wait(), Outcome::new(0, "", ""), "{how:?}");
        }
    }
}

/// Sends these signals in turn until there is nobody left to get them.
pub fn endless_sender(pid: u32, signals: &[&str]) -> Running {
    let kills: Vec<_> = signals
        .iter()
        .map(|signal| format!("kill -{signal} {pid}"))
        .collect();
    let script = format!("while {}; do :; done 2>/dev/null", kills.join(" && "));
    Running::start(program("bash").args(["-c", &script]))
}

#[test]
fn signals_amid_forks_cost_neither_a_status_nor_a_zombie() {
    // Builtins only, so that in the end the entrypoint has one child, the shell itself. To the group go
    // signals that the shell's children ignore, too; to the shell alone such as it catches.
    let work = "echo ready; read -r line
        i=0; while [ $i -lt 200 ]; do
            (true & true &)
            (exit 3); [ $? = 3 ] || echo wrong status
            i=$((i + 1))
        done
        while read -r children </proc/$PPID/task/$PPID/children; [ \"$children\" != $$ ]; do :; done
        echo clean; exit 42";
    for how in As::every() {
        for (flag, attitude) in [
            ("--group", "trap '' HUP USR1 USR2"),
            ("--child", "trap : HUP USR1 USR2"),
        ] {
            let script = format!("{attitude}\n{work}");
            let arguments = [flag, "bash", "-c", &script];
            let mut running = Running::start(&mut entrypoint(how, &arguments));
            assert_eq!(running.line(), "ready");
            let init = running.init();
            let senders = [
                endless_sender(init, &["USR1", "WINCH"]),
                endless_sender(init, &["USR2", "HUP"]),
            ];
            running.type_in("go\n");
            let outcome = running.wait();
            let expected = Outcome::new(42, "clean\n", "");
            assert_eq!(outcome, expected, "{how:?} {flag}");
            for sender in senders {
                sender.wait();
            }
        }
    }
}
