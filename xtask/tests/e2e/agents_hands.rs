//! A sandbox in an agent's hands, under the contract's options: what it kills, traces and stops.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::NamedTempFile;

use crate::common::command;
use crate::world::{Container, HARDENED, docker, image, root, unique_name, workspace};

/// What would end another program, all by the agent's own user: clean-up commands
/// (anthropics/claude-code#3068, alp82/curia#385), signals to PID 1, and two forged senders: a
/// `sigqueue` that claims to come from outside, and a signal that the kernel sends for a pipe.
const ATTACK: &str = r#"
import ctypes, fcntl, os, signal, struct, subprocess
for name in 'HUP', 'INT', 'TERM':
    signal.signal(getattr(signal, 'SIG' + name), signal.SIG_IGN)
shell = lambda line: subprocess.run(['sh', '-c', line], stderr=subprocess.DEVNULL)
shell('pkill sleep; pkill -f "[s]leep infinity"; pkill agent-entrypoin; killall node sleep')
for name in 'HUP INT QUIT TERM KILL STOP TSTP SEGV ABRT'.split():
    os.kill(1, getattr(signal, 'SIG' + name))
queue = {'x86_64': 129, 'aarch64': 138}[os.uname().machine]
for code in -1, -6:
    info = struct.pack('=4i4i', 15, 0, code, 0, 0, 0, 0, 0).ljust(128, b'\0')
    ctypes.CDLL(None).syscall(queue, 1, 15, info)
reader, writer = os.pipe()
fcntl.fcntl(reader, fcntl.F_SETOWN, 1)
fcntl.fcntl(reader, 10, signal.SIGTERM)  # F_SETSIG
fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)
os.write(writer, b'x')
shell('pkill -u agentgate -x sh; trap "" TERM; kill -s TERM -1; kill -s KILL -1')
"#;

/// An agent that cleans up ended its own sandbox (exit 143), and the `claude` that was at work.
#[test]
fn nothing_that_an_agent_kills_ends_the_sandbox() {
    let workspace = workspace();
    for command in [
        &["sleep", "infinity"][..],
        &["tail", "-f", "/dev/null"],
        &[],
    ] {
        let bind = format!("{}:/workspace:rw", workspace.path().display());
        let options: Vec<&str> = HARDENED.into_iter().chain(["-v", &bind]).collect();
        let container = Container::start(&options, command);
        // Its last line ends the attack itself, too.
        container.exec(&["python3", "-c", ATTACK]);
        container.exec(&["true"]).succeeded();
        assert_eq!(container.state("Running"), "true", "{command:?}");
        container.docker(&["stop"]).succeeded();
        assert_eq!(container.state("ExitCode"), "0", "{command:?}");
        let said = container.docker(&["logs"]).succeeded().stderr;
        let note = "agent-entrypoint: note: ignored signal ";
        assert!(
            said.starts_with(note) && said.lines().count() == 1,
            "{said}"
        );
    }
}

/// Sends signals that have lost the record of their sender, and so read as ones from outside.
const LOSE_THE_SENDER: &str =
    include_str!("../../../crates/agent-entrypoint/tests/it/lose_the_sender.py");

#[test]
fn a_signal_that_has_lost_its_sender_does_not_end_the_sandbox() {
    // All processes of a UID on the host share a queue: a small limit fills it fast. When its owner ends it
    // is free again; the lowered limit of PID 1 stays, and the engine's SIGKILL ends a real stop.
    for (trick, code) in [("full", "0"), ("limit", "137")] {
        let options = [&HARDENED[..], &["--ulimit", "sigpending=64"]].concat();
        let container = Container::start(&options, &["sleep", "infinity"]);
        let ran = container.exec(&["python3", "-c", LOSE_THE_SENDER, trick]);
        ran.succeeded();
        container.exec(&["true"]).succeeded();
        container.docker(&["stop", "--time", "5"]).succeeded();
        assert_eq!(container.state("ExitCode"), code, "{trick}");
        let said = container.docker(&["logs"]).succeeded().stderr;
        assert!(said.contains(" of an unknown sender "), "{said}");
        assert_eq!(said.matches("ignored signal").count(), 1, "{said}");
    }
}

/// Each way to get at PID 1 that a process of the same UID has; prints those that work.
const REACH: &str = r"
import ctypes, os
libc = ctypes.CDLL(None)
works = []
for name, request in ('seize', 0x4206), ('attach', 16):
    if libc.ptrace(request, 1, None, None) == 0:
        works.append(name)
for name in 'mem', 'environ', 'exe', 'cwd', 'root', 'fd', 'maps', 'ns/pid', 'stack', 'syscall', 'auxv':
    path = '/proc/1/' + name
    try:
        (os.readlink if os.path.islink(path) else os.listdir if os.path.isdir(path) else lambda path: open(path, 'rb').read(1))(path)
        works.append(name)
    except OSError:
        pass
for name in 'mem', 'oom_score_adj', 'clear_refs', 'coredump_filter':
    try:
        open('/proc/1/' + name, 'r+b').close()
        works.append('write ' + name)
    except OSError:
        pass
text = ctypes.create_string_buffer(b'x' * 16)
vector = (ctypes.c_void_p * 2)(ctypes.addressof(text), 16)
there = (ctypes.c_void_p * 2)(0x200000, 16)
if libc.process_vm_writev(1, vector, 1, there, 1, 0) >= 0:
    works.append('process_vm_writev')
print(works)
";

/// While PID 1 was held by a tracer, 20 zombies stayed and `docker stop` took ten seconds.
#[test]
fn pid_1_is_out_of_the_agents_reach() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    let ran = container.exec(&["python3", "-c", REACH]).succeeded();
    assert_eq!(ran.stdout, "[]\n");
    // What is not PID 1 can be traced, as a debugger needs it.
    let own = "sleep 100 & python3 -c \"import ctypes; print(ctypes.CDLL(None).ptrace(0x4206, $!, None, None))\"; kill $!";
    let ran = container.exec(&["sh", "-c", own]).succeeded();
    assert_eq!(ran.stdout, "0\n");
}

/// `docker run -it` on a terminal of its own, which util-linux's `script` makes.
struct Terminal {
    name: String,
    script: Child,
    /// Where all that is printed goes.
    record: NamedTempFile,
}

impl Terminal {
    fn start(options: &[&str], arguments: &[&str]) -> Terminal {
        let name = unique_name();
        let mut words = vec!["docker", "run", "--interactive", "--tty", "--name", &name];
        words.extend(HARDENED);
        words.extend(options);
        words.push(image());
        words.extend(arguments);
        let record = NamedTempFile::new().unwrap();
        let mut script: Command = command("script", &root());
        script.args(["--quiet", "--flush", "--command", &shell_words::join(words)]);
        script.arg(record.path());
        let script = script.stdin(Stdio::piped()).stdout(Stdio::null());
        Terminal {
            script: script.spawn().unwrap(),
            name: name.clone(),
            record,
        }
    }

    /// Waits until this was printed so often.
    fn prints(&self, text: &str, times: usize) {
        let mut printed = Vec::new();
        for _ in 0..300 {
            printed = fs::read(self.record.path()).unwrap();
            if String::from_utf8_lossy(&printed).matches(text).count() >= times {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let printed = String::from_utf8_lossy(&printed);
        panic!("{text:?} is not printed {times} times: {printed:?}");
    }

    fn type_in(&mut self, keys: &str) {
        let stdin = self.script.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
    }

    fn exec(&self, script: &str) -> String {
        docker(&["exec", &self.name, "sh", "-c", script]).stdout
    }

    /// Asks until a script in the container prints this; for a minute or two at most.
    fn until(&self, script: &str, expected: &str) {
        let ask = format!(
            "for i in $(seq 5); do said=$({script}); [ \"$said\" = '{expected}' ] && break; sleep 0.1; done; echo \"$said\""
        );
        let mut said = String::new();
        // At first there is no container yet.
        for _ in 0..100 {
            said = self.exec(&ask);
            if said.trim_end() == expected {
                return;
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        panic!("`{script}` says {said:?}, not {expected:?}");
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.name]);
        let _ = self.script.wait();
    }
}

/// Yelp/dumb-init#184, anthropics/claude-code#36976: Ctrl-Z, and only `docker stop` helped.
#[test]
fn control_z_does_not_freeze_a_terminal() {
    let count = "trap 'echo x >>/tmp/continued' CONT; echo up >/tmp/up
        while :; do read -r line && echo \"$line\" >/tmp/line; done";
    let mut terminal = Terminal::start(&[], &["sh", "-c", count]);
    terminal.until("cat /tmp/up", "up");
    for times in ["x", "x x"] {
        terminal.type_in("\u{1a}");
        terminal.until("echo $(cat /tmp/continued)", times);
    }
    terminal.type_in("hello\n");
    terminal.until("cat /tmp/line", "hello");
}

/// Takes the connection that Claude Code's first screen waits for, and never answers.
const SILENT_API: &str = "import socket, time
server = socket.create_server(('127.0.0.1', 443))
open('/tmp/up', 'w').write('up')
time.sleep(1000)";

/// Claude Code answers Ctrl-Z itself: it stops its process group, and expects a shell to continue it. Then it
/// sets up the terminal anew (`CSI ? 2004 h` turns bracketed paste on).
#[test]
fn claude_code_continues_after_control_z() {
    const SET_UP: &str = "\u{1b}[?2004h";
    let api = ["--add-host", "api.anthropic.com:127.0.0.1"];
    let command = format!(
        "python3 -c \"{SILENT_API}\" & until [ -e /tmp/up ]; do sleep 0.1; done; exec claude"
    );
    let mut terminal = Terminal::start(&api, &["sh", "-c", &command]);
    terminal.prints(SET_UP, 1);
    terminal.type_in("\u{1a}");
    terminal.prints(SET_UP, 2);
    let stopped = "grep -l '^State:.*stopped' /proc/[0-9]*/status";
    terminal.until(stopped, "");
}

/// A shell's jobs are its own: what it stopped stays so until `fg`.
#[test]
fn a_shell_keeps_its_job_control() {
    let mut terminal = Terminal::start(&[], &["bash", "--norc"]);
    terminal.type_in("echo up >/tmp/up; sh -c 'echo $$ >/tmp/job; exec sleep 1000'\n");
    terminal.until(
        "cat /tmp/up; cut -d' ' -f3 /proc/$(cat /tmp/job)/stat | tr -d '\n'",
        "up\nS",
    );
    terminal.type_in("\u{1a}");
    terminal.until("cut -d' ' -f3 /proc/$(cat /tmp/job)/stat", "T");
    terminal.type_in("jobs %1 >/tmp/jobs; kill %1; fg\n");
    terminal.until(
        "grep -c Stopped /tmp/jobs; ls -d /proc/$(cat /tmp/job) 2>/dev/null",
        "1",
    );
}
