//! The command line where nothing is up, and on machines that cannot have a test bed.

use crate::bed::{Bed, is_root};

const NOT_ROOT: &str = "error: this machine cannot have the test bed\n  \
    - it needs root, to mount file systems and make networks\n\
    hint: with a Docker Engine at hand, run the same command without the test bed\n";

#[test]
fn status_says_that_nothing_is_up() {
    let bed = Bed::new();
    let state = bed.state.display();
    let table = format!(
        "engine     not running\nregistry   not running\nplatforms  none\nbases      none\nstate      {state}\n"
    );
    bed.run(&["status"]).is(1, &table, "");
    bed.run_as_nobody(&["status"]).is(1, &table, "");
    assert!(!bed.state.exists());
}

#[test]
fn status_as_data_has_the_same_shape_when_nothing_is_up() {
    let bed = Bed::new();
    let ran = bed.run(&["status", "--json"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(1), ""), "{ran}");
    let status: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    let expected = serde_json::json!({
        "schema": 1, "running": false, "state_dir": bed.state, "engine": null, "registry": null,
        "platforms": [], "bases": [], "env": {},
    });
    assert_eq!(status, expected);
}

#[test]
fn env_names_the_remedy_when_nothing_is_up() {
    let remedy = "error: the test bed is not running\nhint: `cargo xtask testbed up`\n";
    Bed::new().run(&["env"]).is(1, "", remedy);
}

#[test]
fn down_is_safe_when_nothing_is_up() {
    let bed = Bed::new();
    for args in [&["down"][..], &["down", "--purge"]] {
        bed.run(args).is(0, "", "the test bed is not up\n");
        bed.run_as_nobody(args)
            .is(0, "", "the test bed is not up\n");
    }
    assert!(!bed.state.exists());
}

#[test]
fn up_needs_root() {
    let bed = Bed::new();
    bed.run_as_nobody(&["up"]).is(3, "", NOT_ROOT);
    assert!(!bed.state.exists());
}

#[test]
fn up_needs_a_root_that_may_mount() {
    if !is_root() {
        return eprintln!("not run: only root can become a confined root");
    }
    let bed = Bed::new();
    let ran = bed.run_confined(&["up"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(3), ""), "{ran}");
    assert!(
        ran.stderr
            .contains("this root is confined: it lacks CAP_SYS_ADMIN"),
        "{ran}"
    );
}

#[test]
fn a_damaged_state_names_the_file_and_the_remedy() {
    let bed = Bed::new();
    std::fs::create_dir(&bed.state).unwrap();
    let file = bed.state.join("state.json");
    for text in ["", "{", r#"{"ports": 1}"#, r#"{"port": 70000}"#] {
        std::fs::write(&file, text).unwrap();
        let ran = bed.run(&["status"]);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{ran}");
        let expected = format!(
            "`{}` is damaged\nhint: remove it and run the command again",
            file.display()
        );
        assert!(ran.stderr.contains(&expected), "{ran}");
    }
}

#[test]
fn wrong_usage_has_an_exit_code_of_its_own() {
    for args in [&[][..], &["upp"], &["down", "--force"], &["up", "now"]] {
        let ran = Bed::new().run(args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{ran}");
    }
}

#[test]
fn help_has_examples() {
    let ran = Bed::new().run(&["--help"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
    assert!(
        ran.stdout.contains("eval \"$(cargo xtask testbed env)\""),
        "{ran}"
    );
}
