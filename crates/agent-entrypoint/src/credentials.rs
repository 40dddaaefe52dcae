//! Claude Code's credentials, mounted from the host: a file that this user may not read is taken for
//! none, and Claude Code says "Not logged in". This says why.

use core::fmt::{self, Display, Formatter};

use rustix::fs::{Access, AtFlags, CWD, accessat, statat};
use rustix::io::Errno;

use crate::config::Env;
use crate::environment::{self, User};
use crate::say;
use crate::text::{Ids, Text, shown};

/// A longer path is not looked at.
type Path = Text<1024>;

/// A file that is there and cannot be read; as a piece of text, with the remedy.
struct Unreadable<'a> {
    path: &'a Path,
    owner: Ids,
    mode: u32,
    me: Ids,
}

/// Warns of credentials that `me`, which this process is, cannot read. One system call where there
/// are none, or all is well.
pub fn report(env: Env<'_>, user: User, me: Ids) {
    let path = path(env, user);
    if let Some(unreadable) = look(&path, me) {
        say::warning(unreadable);
    }
}

/// Where Claude Code looks for them.
fn path(env: Env<'_>, user: User) -> Path {
    let mut path = Path::new();
    let folder = env.filled("CLAUDE_CONFIG_DIR");
    match folder {
        Some(folder) => path.push(folder.to_bytes()),
        None => path.push(environment::home(env, user)).push(b"/.claude"),
    };
    path.push(b"/.credentials.json\0");
    path
}

/// None where the file can be read, is not there, or cannot be seen either.
fn look(path: &Path, me: Ids) -> Option<Unreadable<'_>> {
    let name = path.as_c_str()?;
    let Err(Errno::ACCESS) = accessat(CWD, name, Access::READ_OK, AtFlags::empty()) else {
        return None;
    };
    let seen = statat(CWD, name, AtFlags::empty()).ok()?;
    Some(Unreadable {
        path,
        owner: Ids {
            uid: seen.st_uid,
            gid: seen.st_gid,
        },
        mode: seen.st_mode & 0o7777,
        me,
    })
}

impl Display for Unreadable<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { owner, me, .. } = self;
        let path = self.path.as_c_str().unwrap_or_default();
        write!(f, "credentials `{}` cannot be read: ", shown(path))?;
        write!(f, "they belong to {owner}, mode {:04o}, ", self.mode)?;
        write!(
            f,
            "and this is {me}; hint: on the host: `sudo chown {me} FILE`"
        )?;
        if owner.uid != 0 && owner.uid != me.uid {
            write!(f, ", or run the container with `--user {owner}`")?;
        }
        Ok(())
    }
}
