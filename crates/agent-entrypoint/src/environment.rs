//! Environment variables that programs count on, for the command, where the caller set none.

use std::ffi::OsString;

/// What an unknown UID (`docker run --user 1234`) is taken for: the image's own user, whose home is
/// writable to everyone.
const FALLBACK: Account = Account {
    name: "agentgate",
    home: "/home/agentgate",
    shell: "/bin/bash",
};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account<'a> {
    name: &'a str,
    home: &'a str,
    shell: &'a str,
}

/// The variables that are missing in this process's environment, with the values to give the command.
pub fn missing() -> Vec<(&'static str, OsString)> {
    let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
    let passwd = String::from_utf8_lossy(&passwd);
    let uid = rustix::process::geteuid().as_raw();
    let account = find_account(&passwd, uid).unwrap_or(FALLBACK);
    defaults(account)
        .into_iter()
        .filter(|(name, _)| std::env::var_os(name).is_none())
        .map(|(name, value)| (name, value.into()))
        .collect()
}

fn defaults(account: Account<'_>) -> [(&'static str, &str); 6] {
    [
        ("HOME", account.home),
        ("USER", account.name),
        ("LOGNAME", account.name),
        ("SHELL", account.shell),
        ("LANG", "C.UTF-8"),
        ("PATH", PATH),
    ]
}

/// Finds the first line of `/etc/passwd` that has this UID and is complete.
fn find_account(passwd: &str, uid: u32) -> Option<Account<'_>> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let id = fields.nth(1)?;
        let home = fields.nth(2)?;
        let shell = fields.next()?;
        (id.parse() == Ok(uid)).then_some(Account { name, home, shell })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_found_by_uid() {
        let passwd = "root:x:0:0:root:/root:/bin/ash\n\
            broken:x:7\n\
            \n\
            agentgate:x:1000:1000::/home/agentgate:/bin/bash\n\
            twin:x:1000:1000::/home/twin:/bin/sh\n";
        let root = Account {
            name: "root",
            home: "/root",
            shell: "/bin/ash",
        };
        for (uid, expected) in [
            (0, Some(root)),
            (1000, Some(FALLBACK)),
            (7, None),
            (1234, None),
        ] {
            assert_eq!(find_account(passwd, uid), expected, "{uid}");
        }
    }
}
