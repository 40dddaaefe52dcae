//! The warning about credentials that cannot be read: exact texts, and no message when all is well.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use crate::harness::{As, entrypoint, folder, is_root, workspace};
use crate::running::{Outcome, run};

/// Who the entrypoint is, once it has stepped down.
fn me() -> u32 {
    if is_root() {
        1000
    } else {
        fs::metadata("/proc/self").unwrap().uid()
    }
}

fn quietly(variable: &str, folder: &Path) -> Outcome {
    let mut command = entrypoint(As::Ordinary, &["true"]);
    run(command
        .env("WORKSPACE", workspace())
        .env("AGENT_ENTRYPOINT_QUIET", "1")
        .env(variable, folder))
}

#[test]
fn readable_or_absent_credentials_give_no_message() {
    let home = folder();
    open(home.path(), 0o755);
    assert_eq!(quietly("CLAUDE_CONFIG_DIR", home.path()).stderr, "");
    let file = home.path().join(".credentials.json");
    fs::write(&file, "{}").unwrap();
    open(&file, 0o644);
    assert_eq!(quietly("CLAUDE_CONFIG_DIR", home.path()).stderr, "");
}

#[test]
fn unreadable_credentials_are_a_warning_with_its_cure() {
    let home = folder();
    open(home.path(), 0o755);
    let file = home.path().join(".credentials.json");
    fs::write(&file, "{}").unwrap();
    // Nobody may read it, its owner neither; root of these tests is somebody else.
    open(&file, 0o000);
    let owner = fs::metadata(&file).unwrap();
    let (uid, gid) = (owner.uid(), owner.gid());
    let said = quietly("CLAUDE_CONFIG_DIR", home.path()).stderr;
    let name = file.display();
    let begin = format!(
        "agent-entrypoint: warning: credentials `{name}` cannot be read: they belong to {uid}:{gid}, \
         mode 0000, and this is {}:",
        me()
    );
    assert!(said.starts_with(&begin), "{said}");
    let cure = if uid == me() {
        "chmod u+r"
    } else {
        "sudo chown"
    };
    let cure = format!("; hint: on the host: `{cure} ");
    assert!(said.contains(&cure), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
