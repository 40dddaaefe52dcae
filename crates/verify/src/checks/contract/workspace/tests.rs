//! What commands did in workspaces of all kinds.

use super::*;
use crate::checks::fixture::{line as said, ran};

#[test]
fn files_are_the_same_in_the_container_and_on_the_host() {
    let gone = "No such file or directory".to_owned();
    let cat = |ran| [("cat a/b/file".to_owned(), "x y", ran)];
    for (ran, on_the_host, expected) in [
        (
            ran(0, "x y", ""),
            Ok("x y"),
            "passed: written, read, and on the host",
        ),
        (ran(0, "x y", ""), Ok(""), "failed: \"\" on the host"),
        (
            ran(0, "x y", ""),
            Err(&gone),
            "failed: not on the host: No such file or directory",
        ),
        (
            ran(0, "1 x y", ""),
            Ok("x y"),
            "failed: `cat a/b/file` prints \"1 x y\"",
        ),
        (
            ran(1, "", "cat: no\n"),
            Ok("x y"),
            "failed: `cat a/b/file`: exit 1, `cat: no`",
        ),
    ] {
        assert_eq!(said(judge_files(&cat(ran), on_the_host)), expected);
    }
}

#[test]
fn git_works_in_the_repository_of_another_user() {
    let refusal = "fatal: detected dubious ownership in repository at '/workspace'\n\
                   To add an exception for this directory, call:\n\n\tgit config …\n";
    let made = ran(0, "", "");
    for (made, seen, expected) in [
        (&made, ran(0, "## main\none\n", ""), "passed: ## main, one"),
        (
            &made,
            ran(128, "", refusal),
            "failed: `fatal: detected dubious ownership in repository at '/workspace'`",
        ),
        (
            &made,
            ran(127, "", "sh: git: not found\n"),
            "failed: exit 127, `sh: git: not found`",
        ),
        (
            &made,
            ran(0, "## main\n?? x\none\n", ""),
            "failed: `## main`, `?? x`, `one`",
        ),
        (
            &ran(1, "", "git: no\n"),
            ran(0, "", ""),
            "failed: no repository can be made: exit 1, `git: no`",
        ),
    ] {
        assert_eq!(said(judge_git(made, &seen)), expected);
    }
}

#[test]
fn a_workspace_that_cannot_be_written_to_is_warned_of() {
    let warning =
        "agent-entrypoint: warning: workspace `/workspace` is read-only; hint: docker run\n";
    for (ran, expected) in [
        (
            ran(0, "x", warning),
            "passed: `agent-entrypoint: warning: workspace `/workspace` is read-only`",
        ),
        (
            ran(0, "x", "agent-entrypoint: note: is read-only\n"),
            "failed: no warning that the workspace is read-only",
        ),
        (
            ran(78, "", "agent-entrypoint: error: no\n"),
            "failed: exit 78, `agent-entrypoint: error: no`",
        ),
        (
            ran(0, "noise\nx", warning),
            "failed: exit 0, `agent-entrypoint: warning: workspace `/workspace` is read-only; hint: docker run`",
        ),
    ] {
        assert_eq!(said(judge_warned(&ran, "is read-only")), expected);
    }
}

#[test]
fn a_container_without_a_mount_is_worked_in() {
    let note = "agent-entrypoint: note: workspace `/workspace` is not a mount\n";
    for (ran, expected) in [
        (
            ran(0, "/workspace\nagentgate\nx\n", note),
            "passed: /workspace, agentgate, x",
        ),
        (
            ran(0, "/workspace\nroot\nx\n", note),
            "failed: `/workspace`, `root`, `x`",
        ),
        (
            ran(1, "", "bash: line 1: file: Permission denied\n"),
            "failed: exit 1, `bash: line 1: file: Permission denied`",
        ),
    ] {
        assert_eq!(said(judge_no_mount(&ran)), expected);
    }
}
