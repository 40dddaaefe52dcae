//! The probes that this program answers itself, each about a folder or a file.

use core::ffi::CStr;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::getpid;

use super::answer::{Asked, fail};
use crate::claude_json;
use crate::credentials;
use crate::env::Env;
use crate::folder::{self, Folder, Role, Trouble};
use crate::mounts::MountHint;
use crate::say;
use crate::sys;
use crate::text::{Path, Text, Why, shown};
use crate::trouble;
use crate::user::User;
use crate::workspace;

pub fn workspace(asked: &Asked<'_>) -> u8 {
    let workspace = match workspace::inspect(asked.probes.workspace) {
        Ok(workspace) => workspace,
        Err(refusal) => return fail(&refusal),
    };
    let (path, hint) = (workspace.path, MountHint(workspace.path));
    let name = shown(path);
    match workspace.is_mounted {
        Some(false) => {
            return fail(&format_args!("workspace `{name}` is not mounted; {hint}"));
        }
        None => {
            let text = "cannot tell whether workspace";
            return fail(&format_args!(
                "{text} `{name}` is mounted; hint: mount /proc"
            ));
        }
        Some(true) => {}
    }
    if let Err(trouble) = workspace.write_access(asked.me) {
        return fail(&trouble);
    }
    match folder::space(path) {
        Err(full) => fail(&format_args!(
            "workspace `{name}` {full}; hint: remove files there, on the host or here"
        )),
        Ok(()) => well(path, asked.probes.deep),
    }
}

/// Nothing of Claude Code's is kept, and no session resumed, without a home that can be written to.
pub fn home(asked: &Asked<'_>) -> u8 {
    if Env(asked.environment).filled("HOME").is_none() {
        return fail(&"`HOME` is not set; hint: `-e HOME=/home/agentgate`");
    }
    let mut room = Path::new();
    for role in [Role::Home, Role::Claude] {
        match check(role, b"", asked, &mut room) {
            Err(trouble) if !asked.probes.deep && trouble.is_bearable() => {}
            Err(trouble) => return fail(&trouble),
            Ok(_) => {}
        }
    }
    if let Err(trouble) = claude_json::check(state_path(asked, &mut room)) {
        return fail(&trouble);
    }
    if asked.probes.deep {
        // An engine makes the folders above a mount for root.
        for below in EXPECTED {
            if let Err(trouble) = check(Role::InHome, below, asked, &mut room) {
                return fail(&trouble);
            }
        }
    }
    well(path(Role::Home, b"", asked, &mut room), asked.probes.deep)
}

/// Folders in HOME that programs write to.
const EXPECTED: [&[u8]; 6] = [
    b"/.local",
    b"/.local/bin",
    b"/.local/share",
    b"/.local/state",
    b"/.cache",
    b"/.config",
];

pub fn tmp(asked: &Asked<'_>) -> u8 {
    let mut room = Path::new();
    for role in [Role::Tmp, Role::ClaudeTmp] {
        if let Err(trouble) = check(role, b"", asked, &mut room) {
            return fail(&trouble);
        }
    }
    well(path(Role::Tmp, b"", asked, &mut room), asked.probes.deep)
}

pub fn credentials(asked: &Asked<'_>) -> u8 {
    let mut room = Path::new();
    let path = path(Role::Claude, credentials::FILE, asked, &mut room);
    match credentials::check(path, asked.me) {
        Ok(true) => say::data(path.to_bytes()),
        Ok(false) => say::data(b"none"),
        Err(trouble) => fail(&trouble),
    }
}

fn path<'a>(role: Role, below: &[u8], asked: &Asked<'_>, room: &'a mut Path) -> &'a CStr {
    trouble::path(role, below, Env(asked.environment), user(asked), room)
}

fn state_path<'a>(asked: &Asked<'_>, room: &'a mut Path) -> &'a CStr {
    trouble::state_path(Env(asked.environment), user(asked), room)
}

/// The environment is that of this user.
fn user(asked: &Asked<'_>) -> User {
    User {
        uid: asked.me.uid,
        is_new: false,
    }
}

fn check<'a>(
    role: Role,
    below: &[u8],
    asked: &Asked<'_>,
    room: &'a mut Path,
) -> Result<&'a CStr, Trouble<'a>> {
    let path = path(role, below, asked, room);
    Folder { role, path }.check(asked.me).map(|()| path)
}

/// Answers with a good folder's path, after a write to it if `is_deep`.
fn well(path: &CStr, is_deep: bool) -> u8 {
    match if is_deep { write_in(path) } else { Ok(()) } {
        Ok(()) => say::data(path.to_bytes()),
        Err(errno) => fail(&format_args!(
            "cannot write in `{}`: {}",
            shown(path),
            Why(errno)
        )),
    }
}

/// Writes a file and removes it, which alone finds a quota or a broken disk.
fn write_in(path: &CStr) -> Result<(), Errno> {
    // Another container that shares the folder may have the same PID.
    let (own, now) = (getpid().as_raw_pid(), sys::now());
    let name = Text::<64>::of(format_args!(".agent-entrypoint-health-{own}-{now}\0"));
    let name = name.as_c_str().unwrap_or_default();
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = openat(CWD, path, flags, Mode::empty())?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)?;
    let written = rustix::io::write(&file, b"probe\n");
    unlinkat(&folder, name, AtFlags::empty())?;
    written.map(drop)
}
