//! Started as root: it gives the workspace to the agent and steps down, for good.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown, symlink};
use std::path::Path;

use crate::harness::{
    As, STEPPED_DOWN, binary, entrypoint, folder, needs_root, program, set_up, write_program,
};
use crate::running::{Outcome, Running, run};
use crate::watch::{eventually, kill};

fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::symlink_metadata(path).unwrap();
    (metadata.uid(), metadata.gid())
}

/// Runs with the notes on.
fn run_there(how: As, path: &Path, arguments: &[&str]) -> Outcome {
    let mut command = entrypoint(how, arguments);
    run(command
        .env("WORKSPACE", path)
        .env("AGENT_ENTRYPOINT_QUIET", "0"))
}

#[test]
fn root_gives_the_top_level_to_the_agent_once() {
    if needs_root("root_gives_the_top_level_to_the_agent_once") {
        return;
    }
    let dir = folder();
    let inside = dir.path().join("inside");
    fs::write(&inside, "").unwrap();
    let name = dir.path().display();
    let given =
        format!("agent-entrypoint: note: gave workspace `{name}` (top level only) to 1000:1000\n");
    let unmounted = format!(
        "agent-entrypoint: note: workspace `{name}` is not a mount: its files are lost with the container; hint: docker run -v \"$PWD:{name}\" …\n"
    );
    let first = run_there(As::Pid1, dir.path(), &["true"]);
    assert_eq!(
        first,
        Outcome::new(0, "", &format!("{given}{STEPPED_DOWN}{unmounted}"))
    );
    let second = run_there(As::Pid1, dir.path(), &["true"]);
    assert_eq!(
        second,
        Outcome::new(0, "", &format!("{STEPPED_DOWN}{unmounted}"))
    );
    assert_eq!(owner(dir.path()), (1000, 1000));
    assert_eq!(owner(&inside), (0, 0));
}

#[test]
fn everything_is_given_when_asked_but_not_what_links_lead_to() {
    if needs_root("everything_is_given_when_asked_but_not_what_links_lead_to") {
        return;
    }
    let (dir, other) = (folder(), folder());
    let deep = dir.path().join("a/b/c");
    fs::create_dir_all(&deep).unwrap();
    let file = deep.join("file");
    fs::write(&file, "").unwrap();
    let (link, broken) = (dir.path().join("link"), dir.path().join("broken"));
    symlink(other.path(), &link).unwrap();
    symlink("/no/such", &broken).unwrap();
    // The top level is the agent's already: it is asked for all the same.
    chown(dir.path(), Some(1000), Some(1000)).unwrap();
    let mut command = entrypoint(As::Ordinary, &["true"]);
    let outcome = run(command
        .env("WORKSPACE", dir.path())
        .env("AGENT_ENTRYPOINT_CHOWN", "all"));
    assert_eq!(outcome, Outcome::new(0, "", ""));
    for path in [&deep, &file, &link, &broken] {
        assert_eq!(owner(path), (1000, 1000), "{}", path.display());
    }
    assert_eq!(owner(other.path()), (0, 0));
}

#[test]
fn there_is_no_way_back_to_root() {
    if needs_root("there_is_no_way_back_to_root") {
        return;
    }
    // The line of /proc/self/status that tells each, as an ordinary user without groups has it.
    let script = "id -u; id -g; cat /proc/self/status; ";
    for how in As::every() {
        let mut command = entrypoint(how, &["sh", "-c", script]);
        command.env("HOME", "/root").env("USER", "root");
        let outcome = run(&mut command);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
        assert!(outcome.stdout.starts_with("1000\n1000\n"), "{outcome:?}");
        for line in [
            "Uid:\t1000\t1000\t1000\t1000",
            "Gid:\t1000\t1000\t1000\t1000",
            "Groups:\t ",
            "CapInh:\t0000000000000000",
            "CapPrm:\t0000000000000000",
            "CapEff:\t0000000000000000",
            "CapAmb:\t0000000000000000",
            "NoNewPrivs:\t1",
        ] {
            let is_there = outcome.stdout.lines().any(|seen| seen == line);
            assert!(is_there, "{how:?}: no `{line}` in {}", outcome.stdout);
        }
    }
}

#[test]
fn a_setuid_program_gives_nothing_back() {
    if needs_root("a_setuid_program_gives_nothing_back") {
        return;
    }
    let dir = folder();
    let suid = dir.path().join("id");
    let script = "cp \"$(command -v id)\" \"$0\" && chmod 4755 \"$0\"";
    let made = program("sh").args(["-c", script]).arg(&suid).status();
    assert!(made.unwrap().success());
    let outcome = run(&mut entrypoint(
        As::Ordinary,
        &[suid.to_str().unwrap(), "-u"],
    ));
    assert_eq!(outcome, Outcome::new(0, "1000\n", ""));
}

#[test]
fn the_users_variables_are_the_agents() {
    if needs_root("the_users_variables_are_the_agents") {
        return;
    }
    let script = "echo \"$USER|$LOGNAME|$HOME\"";
    let mut command = entrypoint(As::Ordinary, &["sh", "-c", script]);
    command
        .env("HOME", "/root")
        .env("USER", "root")
        .env("LOGNAME", "root");
    let outcome = run(&mut command);
    assert!(!outcome.stdout.contains("root"), "{outcome:?}");
}

#[test]
fn keep_alive_steps_down_too() {
    if needs_root("keep_alive_steps_down_too") {
        return;
    }
    let running = Running::start(&mut entrypoint(As::Pid1, &[]));
    let init = running.init();
    eventually("the step down", || {
        let status = fs::read_to_string(format!("/proc/{init}/status")).ok()?;
        status
            .contains("Uid:\t1000\t1000\t1000\t1000\n")
            .then_some(())
    });
    kill(init, libc::SIGTERM);
    assert_eq!(running.wait(), Outcome::new(0, "", ""));
}

#[test]
fn root_without_the_capabilities_is_refused() {
    if needs_root("root_without_the_capabilities_is_refused") {
        return;
    }
    let dir = folder();
    let name = dir.path().display();
    let cannot_give = format!(
        "agent-entrypoint: warning: cannot give workspace `{name}` to 1000:1000: Operation not permitted (errno 1); hint: on the host: `sudo chown 1000:1000 \"$PWD\"`\n"
    );
    let refused = |step: &str| {
        format!(
            "agent-entrypoint: error: started as root, and cannot become 1000:1000: {step}: Operation not permitted (errno 1); hint: `--user agentgate`, or leave root the capabilities CHOWN, SETUID and SETGID\n"
        )
    };
    for (capabilities, stderr) in [
        ("-all", format!("{cannot_give}{}", refused("setgroups"))),
        ("-all,+chown,+setgid", refused("setresuid")),
    ] {
        let mut command = program("setpriv");
        let bounding = format!("--bounding-set={capabilities}");
        command.args([&bounding, "--inh-caps=-all", binary(), "true"]);
        set_up(&mut command);
        let outcome = run(command.env("WORKSPACE", dir.path()));
        assert_eq!(outcome, Outcome::new(77, "", &stderr), "{capabilities}");
    }
}

/// What the agent could have put into the path in an earlier life of the container.
#[test]
fn no_link_leads_root_to_give_away_what_is_not_the_workspace() {
    if needs_root("no_link_leads_root_to_give_away_what_is_not_the_workspace") {
        return;
    }
    let (agents, other) = (folder(), folder());
    fs::create_dir(other.path().join("sub")).unwrap();
    let link = agents.path().join("workspace");
    symlink(other.path(), &link).unwrap();
    for (workspace, chown) in [
        (link.clone(), "top"),
        (link.clone(), "all"),
        (link.join("sub"), "all"),
    ] {
        let mut command = entrypoint(As::Ordinary, &["true"]);
        let outcome = run(command
            .env("WORKSPACE", &workspace)
            .env("AGENT_ENTRYPOINT_CHOWN", chown));
        assert_eq!(outcome.code, Some(0));
        let name = workspace.display();
        let message = format!(
            "cannot give workspace `{name}` to 1000:1000: Too many levels of symbolic links (errno 40); "
        );
        assert!(outcome.stderr.contains(&message), "{outcome:?}");
    }
    assert_eq!(owner(other.path()), (0, 0));
    assert_eq!(owner(&other.path().join("sub")), (0, 0));
}

#[test]
fn another_mount_in_the_workspace_is_not_looked_into() {
    if needs_root("another_mount_in_the_workspace_is_not_looked_into") {
        return;
    }
    let dir = folder();
    let mount = dir.path().join("mount");
    fs::create_dir(&mount).unwrap();
    let script =
        "mount -t tmpfs none \"$1\" && touch \"$1/file\" && \"$0\" true && stat -c %u \"$1/file\"";
    let mut command = program("unshare");
    command.args(["--mount", "sh", "-c", script, binary()]);
    set_up(command.arg(&mount));
    let outcome = run(command
        .env("WORKSPACE", dir.path())
        .env("AGENT_ENTRYPOINT_CHOWN", "all"));
    assert_eq!(outcome, Outcome::new(0, "0\n", ""));
}

#[test]
fn root_in_any_of_its_forms_steps_down_or_starts_nothing() {
    if needs_root("root_in_any_of_its_forms_steps_down_or_starts_nothing") {
        return;
    }
    for (flags, code) in [
        (&["--ruid=0", "--euid=1000"][..], 77),
        (&["--ruid=1000", "--euid=0"], 0),
        (&["--inh-caps=+chown"], 0),
    ] {
        let mut command = program("setpriv");
        command.args(flags).arg(binary());
        set_up(command.args(["grep", "-E", "^(Uid|CapInh)", "/proc/self/status"]));
        let outcome = run(&mut command);
        assert_eq!(outcome.code, Some(code), "{flags:?} {outcome:?}");
        let down = "Uid:\t1000\t1000\t1000\t1000\nCapInh:\t0000000000000000\n";
        let expected = if code == 0 { down } else { "" };
        assert_eq!(outcome.stdout, expected, "{flags:?}");
    }
}

/// In a container that was started as root, HEALTHCHECK and `docker exec` are root as well
/// (desplega-ai/agent-swarm#1078): what they write would be root's, in the agent's home.
#[test]
fn health_and_headless_step_down_and_leave_no_file_of_root() {
    if needs_root("health_and_headless_step_down_and_leave_no_file_of_root") {
        return;
    }
    let (path, home) = (folder(), folder());
    let mark = home.path().join("mark");
    let name = mark.display();
    let body = format!(
        "#!/bin/sh\nfor word; do :; done\ntouch \"{name}-${{0##*/}}-$word\"; echo \"$(id -u) $(id -G) $USER\"; grep -q 'NoNewPrivs:.1' /proc/self/status"
    );
    for program in ["node", "claude", "git"] {
        write_program(&path.path().join(program), &body);
    }
    for arguments in [&["health"][..], &["health", "--deep"], &["headless", "hi"]] {
        let mut command = entrypoint(As::Ordinary, arguments);
        command.env("PATH", format!("{}:/usr/bin:/bin", path.path().display()));
        command.env("HOME", "/root").env("USER", "root");
        let outcome = run(&mut command);
        assert!(outcome.stdout.contains("1000 1000 "), "{outcome:?}");
        assert!(!outcome.stdout.contains("root"), "{outcome:?}");
    }
    let marks = fs::read_dir(home.path()).unwrap();
    let owners: Vec<_> = marks.map(|mark| owner(&mark.unwrap().path())).collect();
    assert!(owners.len() >= 4, "{owners:?}");
    assert!(
        owners.iter().all(|owner| *owner == (1000, 1000)),
        "{owners:?}"
    );
}

#[test]
fn health_of_a_root_that_cannot_step_down_is_refused() {
    if needs_root("health_of_a_root_that_cannot_step_down_is_refused") {
        return;
    }
    for word in ["health", "headless"] {
        let mut command = program("setpriv");
        command.args(["--bounding-set=-all", "--inh-caps=-all", binary(), word]);
        set_up(&mut command);
        let outcome = run(&mut command);
        let reason = "started as root, and cannot become 1000:1000: setgroups: ";
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(77), ""));
        assert!(outcome.stderr.contains(reason), "{outcome:?}");
    }
}
