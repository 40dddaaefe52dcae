//! Messages are whole lines, however long the words in them are.

use serde_json::Value;

use crate::harness::{As, entrypoint, entrypoint_after, folder, needs_root, write_program};
use crate::running::run;

#[test]
fn a_message_is_one_line_however_long_its_words() {
    let long = "x".repeat(8000);
    for (arguments, code) in [(long.clone(), 127), (format!("--{long}"), 2)] {
        let outcome = run(&mut entrypoint(As::Ordinary, &[&arguments]));
        assert_eq!(outcome.code, Some(code));
        let lines: Vec<&str> = outcome.stderr.split_inclusive('\n').collect();
        assert!(matches!(lines[..], [line] if line.ends_with('\n')));
    }
}

/// The longest answers, of bytes that take the most room when they are made harmless.
#[test]
fn health_keeps_its_lines_and_its_json_whole() {
    for byte in ['"', '\\', 'x'] {
        let path = folder();
        let answer = format!("#!/bin/sh\nprintf '%01500d\\n' 0 | tr 0 '{byte}'\n");
        let answer = answer.replace("'\\'", "'\\\\'").replace("'x'", "'\\377'");
        write_program(&path.path().join("node"), &answer);
        write_program(&path.path().join("claude"), "#!/bin/sh\necho 2\n");
        let health = |format: &[&str]| {
            let mut command = entrypoint(As::Ordinary, &[&["health"], format].concat());
            let path = format!("{}:/usr/bin:/bin", path.path().display());
            run(command.env("PATH", path).env("WORKSPACE", "/proc")).stdout
        };
        assert_eq!(health(&[]).lines().count(), 7, "{byte}");
        let document: Value = serde_json::from_str(&health(&["--json"])).unwrap();
        assert_eq!(document["probes"].as_array().unwrap().len(), 7, "{byte}");
    }
}

#[test]
fn a_folder_of_a_mount_is_mounted() {
    if needs_root("a_folder_of_a_mount_is_mounted") {
        return;
    }
    let dir = folder();
    let script = "mount -t tmpfs -o mode=777 none \"$DIR\" && mkdir -m 777 \"$DIR/sub\"";
    let mut command = entrypoint_after(script, As::Pid1, &["true"]);
    command
        .env("DIR", dir.path())
        .env("AGENT_ENTRYPOINT_QUIET", "0");
    let outcome = run(command.env("WORKSPACE", dir.path().join("sub")));
    assert!(!outcome.stderr.contains("is not a mount"), "{outcome:?}");
    assert_eq!(outcome.code, Some(0));
    let unmounted = run(entrypoint(As::Pid1, &["true"])
        .env("WORKSPACE", dir.path())
        .env("AGENT_ENTRYPOINT_QUIET", "0"));
    assert!(unmounted.stderr.contains("is not a mount"), "{unmounted:?}");
}
