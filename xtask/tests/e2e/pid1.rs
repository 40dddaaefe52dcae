//! The entrypoint as PID 1 of a real container: how it ends, whom it runs as, and headless Claude Code.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::time::Instant;

use crate::common::Ran;
use crate::world::{Container, HARDENED, docker, image, workspace};

/// PID 1's warning when a process did not end by SIGTERM.
const KILLED: &str =
    "agent-entrypoint: warning: killing the processes that did not end within 4 s of SIGTERM";

/// An agent at work: commands by `docker exec`, with children, orphans and a daemon of their own session.
fn busy(container: &Container, prefix: &str) {
    let work = format!(
        "{prefix} sleep 300 & (sleep 300 &) ; setsid sleep 300 & for i in 1 2 3; do (true &); done"
    );
    for _ in 0..5 {
        container.exec(&["sh", "-c", &work]).succeeded();
    }
}

/// Stops a container as the server does; returns PID 1's output, and prints the time that it took.
fn stop(container: &Container) -> Ran {
    let start = Instant::now();
    container.docker(&["stop"]).succeeded();
    println!("`docker stop` took {:.2} s", start.elapsed().as_secs_f64());
    container.docker(&["logs"]).succeeded()
}

#[test]
fn stop_ends_a_busy_agent_at_once_when_everybody_obeys() {
    let workspace = workspace();
    let container = Container::start_hardened(workspace.path());
    busy(&container, "");
    let said = stop(&container);
    assert_eq!(container.state("ExitCode"), "0");
    // Waiting for a process would have taken four seconds and given a warning.
    assert_eq!((said.stdout.as_str(), said.stderr.as_str()), ("", ""));
}

#[test]
fn stop_ends_a_busy_agent_within_five_seconds_when_nobody_obeys() {
    let folder = workspace();
    let bind = format!("{}:/workspace:rw", folder.path().display());
    let options: Vec<&str> = HARDENED.into_iter().chain(["-v", &bind]).collect();
    let stubborn = "trap '' TERM; while :; do sleep 1; done";
    let container = Container::start(&options, &["sh", "-c", stubborn]);
    busy(&container, "trap '' TERM;");
    let said = stop(&container);
    assert_eq!(container.state("ExitCode"), "137");
    // PID 1 killed them. Had the engine done so after its five seconds, there would be no warning.
    assert_eq!(said.stderr.trim_end(), KILLED);
}

#[test]
fn root_becomes_agentgate_and_gives_it_the_workspace() {
    let folder = workspace();
    let bind = format!("{}:/workspace:rw", folder.path().display());
    let run = ["run", "--rm", "--user", "root", "-v", &bind, image()];
    let script = "id -u; id -G; echo $HOME; touch file; grep NoNewPrivs /proc/self/status";
    let ran = docker(&[&run[..], &["sh", "-c", script]].concat()).succeeded();
    assert_eq!(ran.stdout, "1000\n1000\n/home/agentgate\nNoNewPrivs:\t1\n");
    assert_eq!(
        ran.stderr,
        "agent-entrypoint: note: gave workspace `/workspace` (top level only) to 1000:1000\n\
         agent-entrypoint: note: started as root, going on as 1000:1000; hint: `docker exec` still comes as root: `docker exec --user agentgate …`\n"
    );
    let owner = |path| fs::metadata(path).unwrap().uid();
    assert_eq!(owner(folder.path().to_owned()), 1000);
    assert_eq!(owner(folder.path().join("file")), 1000);
    let without = ["run", "--rm", "--user", "root", "--cap-drop", "ALL"];
    let ran = docker(&[&without[..], &["-v", &bind, image(), "true"]].concat());
    assert_eq!(ran.code, Some(77), "{ran:#?}");
}

#[test]
fn any_other_user_can_work() {
    let folder = workspace();
    let container = {
        let bind = format!("{}:/workspace:rw", folder.path().display());
        let mut options: Vec<&str> = HARDENED.into_iter().chain(["-v", &bind]).collect();
        let user = options.iter().position(|option| *option == "agentgate");
        options[user.unwrap()] = "1234:0";
        Container::start(&options, &["sleep", "infinity"])
    };
    let commit = "git init -q . && git -c user.name=A -c user.email=a@b commit -q --allow-empty -m m && git log --format=%s";
    let script = format!("echo $HOME; touch $HOME/file && {commit}");
    let ran = container.exec(&["sh", "-c", &script]).succeeded();
    assert_eq!(ran.stdout, "/home/agentgate\nm\n");
    container
        .exec(&["agent-entrypoint", "health", "--deep"])
        .succeeded();
}

#[test]
fn beside_another_init_it_does_the_same() {
    let run = ["run", "--rm", "--init", image(), "sh", "-c", "exit 7"];
    let ran = docker(&run);
    assert_eq!(ran.code, Some(7), "{ran:#?}");
    assert!(ran.stderr.contains("note: this is not PID 1"), "{ran:#?}");
}

#[test]
fn a_forgotten_mount_is_noted_and_a_read_only_one_is_unhealthy() {
    let ran = docker(&["run", "--rm", image(), "true"]).succeeded();
    let note = "agent-entrypoint: note: workspace `/workspace` is not a mount: its files are lost with the container; hint: docker run -v \"$PWD:/workspace\" …\n";
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str()), ("", note));
    let folder = workspace();
    let bind = format!("{}:/workspace:ro", folder.path().display());
    let run = [
        "run",
        "--rm",
        "-v",
        &bind,
        image(),
        "agent-entrypoint",
        "health",
    ];
    let ran = docker(&run);
    assert_eq!(ran.code, Some(1), "{ran:#?}");
    let line = "fail workspace: workspace `/workspace` is read-only; ";
    assert!(ran.stdout.contains(line), "{ran:#?}");
}

#[test]
fn headless_gives_claude_the_flags_that_the_environment_asks_for() {
    let folder = workspace();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let container = Container::start_hardened(folder.path());
    let name = container.name();
    let format = |format: &str| format!("AGENT_ENTRYPOINT_OUTPUT_FORMAT={format}");
    let ask = |format: &str, more: &[&str]| {
        let exec = [
            "exec",
            "-e",
            format,
            "-e",
            "AGENT_ENTRYPOINT_MAX_TURNS=1",
            name,
        ];
        let headless = ["timeout", "30", "agent-entrypoint", "headless", "hello"];
        docker(&[&exec[..], &headless, more].concat())
    };
    // Without a login Claude Code reports just that, in the requested format.
    let text = ask(&format("text"), &[]);
    assert_eq!(text.code, Some(1), "{text:#?}");
    assert!(text.stdout.starts_with("Not logged in"), "{text:#?}");
    let given = ask(&format("text"), &["--output-format", "json"]);
    assert!(given.stdout.starts_with('{'), "{given:#?}");
    for asked in ["json", "stream-json"] {
        let ran = ask(&format(asked), &[]);
        let last = ran.stdout.lines().last().unwrap();
        let answer: serde_json::Value = serde_json::from_str(last).unwrap();
        assert_eq!(answer["type"], "result", "{ran:#?}");
    }
}

/// Claude Code refuses this flag to root.
#[test]
fn headless_that_root_executes_is_the_agents() {
    let container = Container::start(&["--user", "root"], &["sleep", "infinity"]);
    let headless = ["timeout", "30", "agent-entrypoint", "headless"];
    let ran =
        container.exec(&[&headless[..], &["--dangerously-skip-permissions", "hello"]].concat());
    assert!(ran.stdout.starts_with("Not logged in"), "{ran:#?}");
}
