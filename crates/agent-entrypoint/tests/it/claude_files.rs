//! `health` and the files that Claude Code itself needs, and an agent that tampers with `health`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use tempfile::TempDir;

use crate::harness::{
    As, MOUNT, entrypoint, entrypoint_as, folder, health, is_root, program, write_program,
};
use crate::running::run;

/// A folder for PATH whose `claude` has this body.
fn programs(claude: &str) -> TempDir {
    let path = folder();
    write_program(&path.path().join("node"), "#!/bin/sh\necho v20\n");
    let claude = format!("#!/bin/sh\n{claude}\n");
    write_program(&path.path().join("claude"), &claude);
    path
}

/// The lines of `health` that fail, with this HOME and this folder for `claude-UID`.
fn failures(home: &Path, tmp: &Path, more: &[&str]) -> Vec<String> {
    let path = programs("echo 2");
    let mut command = health(path.path(), Path::new(MOUNT));
    command
        .args(more)
        .env("HOME", home)
        .env("CLAUDE_CODE_TMPDIR", tmp);
    let said = run(&mut command);
    let is_ours =
        |line: &&str| ["fail home", "fail tmp"].contains(&line.split(':').next().unwrap());
    let failed = said.stdout.lines().filter(is_ours);
    failed.map(ToOwned::to_owned).collect()
}

#[test]
fn a_state_file_that_claude_code_cannot_read_is_reported_and_never_opened() {
    let (home, tmp) = (folder(), folder());
    let file = home.path().join(".claude.json");
    let name = file.display();
    let not_a_file = format!(
        "Claude Code's `{name}` is not a regular file; hint: remove it, or mount a file there"
    );
    let unreadable = format!(
        "Claude Code's `{name}` cannot be read; hint: `chmod u+r`, or remove it; if it is mounted, on the host"
    );
    for (script, reason) in [
        ("echo '{}' >\"$0\"", None),
        ("mkfifo -m 666 \"$0\"", Some(&not_a_file)),
        ("mkdir \"$0\"", Some(&not_a_file)),
        ("ln -s /dev/null \"$0\"", Some(&not_a_file)),
        ("echo '{}' >\"$0\"; chmod 0 \"$0\"", Some(&unreadable)),
        ("ln -s nowhere \"$0\"", None),
    ] {
        let made = run(program("sh").args(["-c", script]).arg(&file));
        assert_eq!(made.code, Some(0), "{script}: {made:?}");
        let expected: Vec<_> = reason
            .map(|reason| format!("fail home: {reason}"))
            .into_iter()
            .collect();
        for more in [&[][..], &["--deep"]] {
            assert_eq!(
                failures(home.path(), tmp.path(), more),
                expected,
                "{script}"
            );
        }
        // The start reports the same.
        let mut start = if is_root() {
            entrypoint_as(1000, &["true"])
        } else {
            entrypoint(As::Ordinary, &["true"])
        };
        let started = run(start.env("HOME", home.path()));
        let warned = started.stderr.contains("Claude Code's `");
        assert_eq!(warned, reason.is_some(), "{script}: {started:?}");
        let removed = run(program("rm").arg("-r").arg(&file));
        assert_eq!(removed.code, Some(0));
    }
}

#[test]
fn a_folder_that_claude_code_cannot_use_is_reported() {
    let (home, tmp) = (folder(), folder());
    let uid = if is_root() {
        1000
    } else {
        rustix::process::geteuid().as_raw()
    };
    let claude = tmp.path().join(format!("claude-{uid}"));
    let name = claude.display();
    let begin = format!("fail tmp: Claude Code's temporary folder `{name}` is not ");
    let end = format!("; hint: docker exec --privileged --user root CONTAINER rm -rf {name}");
    fs::write(&claude, "").unwrap();
    // As a program, it passes for what can be written and searched.
    fs::set_permissions(&claude, fs::Permissions::from_mode(0o777)).unwrap();
    let expected = format!("{begin}a directory{end}");
    for more in [&[][..], &["--deep"]] {
        assert_eq!(failures(home.path(), tmp.path(), more).join("\n"), expected);
    }
    fs::remove_file(&claude).unwrap();
    fs::create_dir(&claude).unwrap();
    fs::set_permissions(&claude, fs::Permissions::from_mode(0o555)).unwrap();
    let said = failures(home.path(), tmp.path(), &[]);
    let is_said =
        |line: &String| line.starts_with(&format!("{begin}writable: ")) && line.ends_with(&end);
    assert!(said.len() == 1 && said.iter().all(is_said), "{said:?}");
    fs::set_permissions(&claude, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(failures(home.path(), tmp.path(), &[]), [""; 0]);
}

/// A tracer of `health` rewrote its report to ok.
#[test]
fn an_agent_cannot_trace_health() {
    // `health` is the parent of the `claude` that it asks.
    let trace = "import ctypes, os; parent = os.getppid()
trace = lambda how: ctypes.CDLL(None).ptrace(how, parent, None, None)
print(trace(0x4206), trace(16), os.access(f'/proc/{parent}/mem', os.R_OK))";
    let path = programs(&format!(
        "PATH=/usr/local/bin:/usr/bin:/bin exec python3 -c \"{trace}\""
    ));
    let said = run(&mut health(path.path(), Path::new(MOUNT)));
    assert!(
        said.stdout.contains("\nok claude -1 -1 False\n"),
        "{said:?}"
    );
}
