//! What keeps an agent from its work, beside the workspace itself: said at the start, one line each.
//!
//! If all is well that is seven system calls, and five to seven more where there are a repository,
//! Claude Code's folder and credentials. `health` asks the same.

use core::ffi::CStr;
use core::fmt::Display;

use crate::config::Env;
use crate::credentials;
use crate::environment::{self, User};
use crate::folder::{Folder, Role};
use crate::repository;
use crate::say;
use crate::text::{Ids, Text};

/// A longer path is not inspected.
pub type Path = Text<1024>;

/// Warns of what `me`, which this process is, will miss in HOME and the temporary folder, of
/// credentials that cannot be used, and of a repository in the workspace that git cannot use.
#[inline(never)]
pub fn report(workspace: &CStr, env: Env<'_>, user: User, me: Ids) {
    for role in [Role::Tmp, Role::Home, Role::Claude] {
        let path = path(role, env, user);
        let Some(path) = path.as_c_str() else {
            continue;
        };
        match (Folder { role, path }).check(me) {
            // The command may make it, as may what is mounted later.
            Err(trouble) if role == Role::Home && trouble.is_missing() => {}
            Err(trouble) if trouble.is_bearable() => {}
            checked => warn(&checked),
        }
        if role == Role::Claude {
            let file = credentials::path(path);
            warn(&credentials::check(name(&file), me));
        }
    }
    let mut room = Path::new();
    warn(&repository::check(workspace, me, &mut room));
}

fn warn<T>(checked: &Result<T, impl Display>) {
    if let Err(trouble) = checked {
        say::warning(trouble);
    }
}

/// Where programs put temporary files, the user's home, and where Claude Code keeps what is its own.
#[inline(never)]
pub fn path(role: Role, env: Env<'_>, user: User) -> Path {
    let home = environment::home(env, user);
    let (folder, below): (&[u8], &[u8]) = match role {
        Role::Tmp => (env.filled("TMPDIR").unwrap_or(c"/tmp").to_bytes(), b""),
        Role::Claude => match env.filled("CLAUDE_CONFIG_DIR") {
            Some(folder) => (folder.to_bytes(), b""),
            None => (home, b"/.claude"),
        },
        Role::Home | Role::InHome => (home, b""),
    };
    let mut path = Path::new();
    path.push(folder).push(below).push(b"\0");
    path
}

/// The path as C has it; an empty one, which is of no file, where it is too long.
pub fn name(path: &Path) -> &CStr {
    path.as_c_str().unwrap_or_default()
}
