//! Warns at the start of what keeps an agent from its work, apart from the workspace itself.
//!
//! Without a fault that takes eight system calls, and five to seven more with a repository, Claude Code's
//! folder and credentials. `health` checks the same.

use core::ffi::CStr;
use core::fmt::Display;

use crate::claude_json;
use crate::credentials;
use crate::env::Env;
use crate::environment;
use crate::folder::{Folder, Role};
use crate::repository;
use crate::say;
use crate::text::{Path, Text};
use crate::user::{Ids, User};

/// Warns about HOME and the temporary folder if `me`, the user of this process, cannot use them, and about
/// unusable state and credentials and an unusable repository in the workspace.
#[inline(never)]
pub fn report(workspace: &CStr, env: Env<'_>, user: User, me: Ids) {
    let mut room = Path::new();
    for role in [Role::Tmp, Role::Home, Role::Claude] {
        let path = path(role, b"", env, user, &mut room);
        match (Folder { role, path }).check(me) {
            // The command may make it.
            Err(trouble) if role == Role::Home && trouble.is_missing() => {}
            Err(trouble) if trouble.is_bearable() => {}
            checked => warn(&checked),
        }
    }
    warn(&claude_json::check(state_path(env, user, &mut room)));
    let file = path(Role::Claude, credentials::FILE, env, user, &mut room);
    warn(&credentials::check(file, me));
    warn(&repository::check(workspace, me, &mut room));
}

fn warn<T>(checked: &Result<T, impl Display>) {
    if let Err(trouble) = checked {
        say::warning(trouble);
    }
}

/// The path of `below` in the temporary folder, the user's home, or Claude Code's folder.
#[inline(never)]
pub fn path<'a>(
    role: Role,
    below: &[u8],
    env: Env<'_>,
    user: User,
    room: &'a mut Path,
) -> &'a CStr {
    let home = environment::home(env, user);
    let uid = Text::<16>::of(format_args!("{}/", user.uid));
    let (folder, name): (&[u8], &[u8]) = match role {
        Role::Tmp => (env.filled("TMPDIR").unwrap_or(c"/tmp").to_bytes(), b""),
        Role::Claude => match env.filled("CLAUDE_CONFIG_DIR") {
            Some(folder) => (folder.to_bytes(), b""),
            None => (home, b"/.claude"),
        },
        // The slash makes a file in its place fail, which may be executable and pass for a folder.
        Role::ClaudeTmp => {
            let folder = env.filled("CLAUDE_CODE_TMPDIR").unwrap_or(c"/tmp");
            return room.set_path(&[folder.to_bytes(), b"/claude-", uid.as_bytes()]);
        }
        Role::Home | Role::InHome => (home, b""),
    };
    room.set_path(&[folder, name, below])
}

/// The path of Claude Code's state: `.claude.json` in HOME, or in the folder that a variable names.
pub fn state_path<'a>(env: Env<'_>, user: User, room: &'a mut Path) -> &'a CStr {
    let home = environment::home(env, user);
    let folder = env.filled("CLAUDE_CONFIG_DIR");
    let folder = folder.map_or(home, CStr::to_bytes);
    room.set_path(&[folder, claude_json::FILE])
}
