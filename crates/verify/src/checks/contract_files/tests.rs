//! The good image, broken in one place at a time.

use super::CHECKS;
use crate::checks::fixture::{self, add, change, file, folder, good, remove, symlink, text};
use crate::facts::ImageFacts;

fn said(id: &str, facts: &ImageFacts) -> String {
    fixture::said(CHECKS, id, facts)
}

#[test]
fn the_home_has_the_mode_that_its_tmpfs_takes() {
    let id = "contract-home-mode";
    assert_eq!(said(id, &good()), "passed: 1777");
    for mode in [0o755, 0o777, 0o3777] {
        let mut facts = good();
        change(&mut facts, "home/agentgate", |entry| entry.mode = mode);
        assert_eq!(said(id, &facts), format!("failed: mode {mode:04o}"));
    }
    let mut facts = good();
    add(&mut facts, 1, symlink("home/agentgate", "/tmp"));
    assert_eq!(said(id, &facts), "failed: `/home/agentgate` is no folder");
    remove(&mut facts, "home/agentgate");
    assert_eq!(said(id, &facts), "failed: no `/home/agentgate`");
}

#[test]
fn the_user_is_there_by_name() {
    let id = "contract-passwd";
    let agent = "agentgate:x:1000:1000:AgentGate agent:/home/agentgate:/bin/bash";
    let seen = "agentgate, UID 1000, GID 1000, /home/agentgate, /bin/bash";
    assert_eq!(said(id, &good()), format!("passed: {seen}"));
    for (passwd, expected) in [
        ("", "failed: no `agentgate` in `/etc/passwd`"),
        (
            "agentgate:x:1001:1000::/home/agentgate:/bin/bash",
            "failed: agentgate, UID 1001, GID 1000, /home/agentgate, /bin/bash",
        ),
        ("agentgate", "failed: agentgate, UID , GID , , "),
        (
            &format!("node:x:1000:1000::/home/node:/bin/sh\n{agent}"),
            "failed: UID 1000 is `node` too",
        ),
    ] {
        let mut facts = good();
        add(&mut facts, 1, text("etc/passwd", passwd));
        assert_eq!(said(id, &facts), expected);
    }
    let mut facts = good();
    remove(&mut facts, "bin/bash");
    assert_eq!(said(id, &facts), "failed: no `/bin/bash`");
    // As in a distribution where `/bin` is only another name.
    add(&mut facts, 1, symlink("bin", "usr/bin"));
    add(&mut facts, 1, file("usr/bin/bash", 0o755));
    assert_eq!(said(id, &facts), format!("passed: {seen}"));
    change(&mut facts, "usr/bin/bash", |entry| entry.mode = 0o644);
    assert_eq!(said(id, &facts), "failed: `/bin/bash` has mode 0644");
    remove(&mut facts, "etc/passwd");
    assert_eq!(said(id, &facts), "failed: no `/etc/passwd`");
}

#[test]
fn every_folder_is_safe_for_git() {
    let id = "contract-safe-directory";
    for (config, expected) in [
        ("[safe]\n\tdirectory = *\n", "passed: `*`"),
        ("[SAFE]\nDirectory=\"*\" # all\n", "passed: `*`"),
        ("[safe] # x\ndirectory = /a\ndirectory = *\n", "passed: `*`"),
        ("", "failed: no `safe.directory`"),
        ("directory = *\n", "failed: no `safe.directory`"),
        (
            "[safe]\n[core]\ndirectory = *\n",
            "failed: no `safe.directory`",
        ),
        (
            "[safe \"x\"]\ndirectory = *\n",
            "failed: no `safe.directory`",
        ),
        (
            "[safe]\ndirectory = *\ndirectory =\n",
            "failed: no `safe.directory`",
        ),
        ("[safe]\n# directory = *\n", "failed: no `safe.directory`"),
        (
            "[safe]\ndirectory = /workspace\ndirectory = /x\n",
            "failed: `/workspace`, `/x`",
        ),
    ] {
        let mut facts = good();
        add(&mut facts, 4, text("etc/gitconfig", config));
        assert_eq!(said(id, &facts), expected, "{config}");
    }
    let mut facts = good();
    change(&mut facts, "etc/gitconfig", |entry| entry.mode = 0o600);
    assert_eq!(said(id, &facts), "failed: `/etc/gitconfig` has mode 0600");
    remove(&mut facts, "etc/gitconfig");
    assert_eq!(said(id, &facts), "failed: no `/etc/gitconfig`");
}

const ID: &str = "claude-managed-settings";

#[test]
fn the_settings_are_read_as_claude_code_does() {
    let env = r#""env": {"DISABLE_TELEMETRY": "1", "DISABLE_ERROR_REPORTING": "1", "DISABLE_AUTOUPDATER": "1"}"#;
    for (settings, expected) in [
        (format!("{{{env}}}"), "passed: 1 setting, no telemetry"),
        (
            format!(r#"{{{env}, "forceLoginMethod": "console"}}"#),
            "failed: `/etc/claude-code/managed-settings.json` sets `forceLoginMethod`, which \
             refuses API keys",
        ),
        (
            format!(r#"{{{env}, "permissions": {{"disableBypassPermissionsMode": "disable"}}}}"#),
            "failed: `/etc/claude-code/managed-settings.json` sets \
             `permissions.disableBypassPermissionsMode`, which denies tool calls under \
             `--dangerously-skip-permissions`",
        ),
        (
            env.replacen("\"1\"", "1", 1)
                .replacen("\"env\"", "{\"env\"", 1)
                + "}",
            "failed: `env` does not set `DISABLE_TELEMETRY` to \"1\"",
        ),
        (
            "[]".to_owned(),
            "failed: `/etc/claude-code/managed-settings.json` is no JSON object",
        ),
    ] {
        let mut facts = good();
        add(&mut facts, 5, text(super::SETTINGS, &settings));
        assert_eq!(said(ID, &facts), expected, "{settings}");
    }
    let mut facts = good();
    add(&mut facts, 5, text(super::SETTINGS, "{,}"));
    let start = "failed: `/etc/claude-code/managed-settings.json` is not JSON: key must be";
    assert!(said(ID, &facts).starts_with(start), "{}", said(ID, &facts));
}

#[test]
fn the_settings_are_roots_and_everyone_reads_them() {
    for (path, mode, uid, expected) in [
        (super::SETTINGS, 0o600, 0, "has mode 0600"),
        (super::SETTINGS, 0o664, 0, "has mode 0664"),
        (super::SETTINGS, 0o644, 1000, "belongs to UID 1000"),
        ("etc/claude-code", 0o644, 0, "has mode 0644"),
        ("etc/claude-code", 0o777, 0, "has mode 0777"),
        ("etc/claude-code", 0o755, 1000, "belongs to UID 1000"),
    ] {
        let mut facts = good();
        change(&mut facts, path, |entry| {
            entry.mode = mode;
            entry.uid = uid;
        });
        assert_eq!(said(ID, &facts), format!("failed: `/{path}` {expected}"));
    }
    let mut facts = good();
    change(&mut facts, super::SETTINGS, |entry| entry.mode = 0o444);
    assert!(said(ID, &facts).starts_with("passed"));
    remove(&mut facts, super::SETTINGS);
    let expected = "failed: no `/etc/claude-code/managed-settings.json`";
    assert_eq!(said(ID, &facts), expected);
}

#[test]
fn fragments_of_the_settings_are_judged_too() {
    let path = "etc/claude-code/managed-settings.d/10.json";
    for (content, expected) in [
        ("{}", "passed: 1 setting, no telemetry".to_owned()),
        (
            r#"{"forceLoginMethod": "x"}"#,
            format!("failed: `/{path}` sets `forceLoginMethod`, which refuses API keys"),
        ),
        ("1", format!("failed: `/{path}` is no JSON object")),
    ] {
        let mut facts = good();
        add(
            &mut facts,
            5,
            folder("etc/claude-code/managed-settings.d", 0o755),
        );
        add(
            &mut facts,
            5,
            text("etc/claude-code/managed-settings.d/README", "x"),
        );
        add(&mut facts, 5, text(path, content));
        assert_eq!(said(ID, &facts), expected);
    }
    let mut facts = good();
    let folder = folder("etc/claude-code/managed-settings.d", 0o777);
    add(&mut facts, 5, folder);
    let expected = "failed: `/etc/claude-code/managed-settings.d` has mode 0777";
    assert_eq!(said(ID, &facts), expected);
}
