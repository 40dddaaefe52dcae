//! The probes that this program answers itself, each about a folder or a file.

use core::ffi::CStr;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, unlinkat};
use rustix::io::Errno;
use rustix::process::getpid;

use super::probe::{Asked, fail};
use crate::config::Env;
use crate::credentials;
use crate::environment::User;
use crate::folder::{self, Folder, Role, Trouble};
use crate::say;
use crate::sys;
use crate::text::{Text, Why, shown};
use crate::trouble::{self, Path, name};
use crate::workspace::{self, MountHint};

pub fn workspace(asked: &Asked<'_>) -> u8 {
    let workspace = match workspace::look(asked.probes.workspace) {
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
    for role in [Role::Home, Role::Claude] {
        let path = path(role, asked);
        match check(&path, role, asked) {
            Err(trouble) if !asked.probes.deep && trouble.is_bearable() => {}
            Err(trouble) => return fail(&trouble),
            Ok(()) => {}
        }
    }
    let home = path(Role::Home, asked);
    if asked.probes.deep {
        // What an engine makes on the way to something that is mounted in it is root's.
        for below in EXPECTED {
            let path = Path::path(name(&home).to_bytes(), below);
            if let Err(trouble) = check(&path, Role::InHome, asked) {
                return fail(&trouble);
            }
        }
    }
    well(name(&home), asked.probes.deep)
}

/// Folders in HOME that programs write to.
const EXPECTED: [&[u8]; 6] = [
    b".local",
    b".local/bin",
    b".local/share",
    b".local/state",
    b".cache",
    b".config",
];

pub fn tmp(asked: &Asked<'_>) -> u8 {
    let path = path(Role::Tmp, asked);
    match check(&path, Role::Tmp, asked) {
        Ok(()) => well(name(&path), asked.probes.deep),
        Err(trouble) => fail(&trouble),
    }
}

pub fn credentials(asked: &Asked<'_>) -> u8 {
    let path = credentials::path(name(&path(Role::Claude, asked)));
    let path = name(&path);
    match credentials::check(path, asked.me) {
        Ok(true) => say::data(path.to_bytes()),
        Ok(false) => say::data(b"none"),
        Err(trouble) => fail(&trouble),
    }
}

fn path(role: Role, asked: &Asked<'_>) -> Path {
    // The environment is that of this user.
    let user = User {
        uid: asked.me.uid,
        is_new: false,
    };
    trouble::path(role, Env(asked.environment), user)
}

fn check<'a>(path: &'a Path, role: Role, asked: &Asked<'_>) -> Result<(), Trouble<'a>> {
    let path = name(path);
    Folder { role, path }.check(asked.me)
}

/// The answer of a good folder, after something was written to it if `is_deep`.
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

/// Writes a file and removes it: a quota and a broken disk are seen in no other way.
fn write_in(path: &CStr) -> Result<(), Errno> {
    // Other containers may share the folder, and have the same numbers.
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
