//! Whether anyone can log in to an account.

use crate::check::Verdict;
use crate::checks::inspect::{Root, count};
use crate::facts::ImageFacts;

/// What stands where a password's hash would, and matches none.
const LOCKED: [&str; 4] = ["*", "!", "!!", "!*"];

const EXPECTED: &str = "every account, `agentgate` included, locked: `*` or `!` as its password";

pub(super) fn passwords(facts: &ImageFacts) -> Verdict {
    let root = Root::of(facts);
    let (passwd, shadow) = match (root.text("etc/passwd"), root.text("etc/shadow")) {
        (Ok(passwd), Ok(shadow)) => (passwd, shadow),
        (Err(why), _) | (_, Err(why)) => return Verdict::failed(why, EXPECTED),
    };
    // In `/etc/passwd` an `x` points to `/etc/shadow`.
    let in_passwd = passwords_of(passwd).filter(|(_, password)| *password != "x");
    let in_passwd = in_passwd.filter_map(|pair| fault(pair, "/etc/passwd"));
    let in_shadow = passwords_of(shadow).filter_map(|pair| fault(pair, "/etc/shadow"));
    let mut found: Vec<String> = in_passwd.chain(in_shadow).collect();
    if passwords_of(shadow).all(|(name, _)| name != "agentgate") {
        found.push("no `agentgate` in `/etc/shadow`".to_owned());
    }
    if found.is_empty() {
        let accounts = count(passwords_of(shadow).count(), "account");
        return Verdict::passed(format!("{accounts}, all locked"));
    }
    Verdict::none_of(&found, EXPECTED)
}

/// The first two fields of each line.
fn passwords_of(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines.map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().unwrap_or_default();
        (name, fields.next().unwrap_or_default())
    })
}

/// What is wrong with the password; a hash is never shown.
fn fault((name, password): (&str, &str), file: &str) -> Option<String> {
    match password {
        "" => Some(format!("`{name}` needs no password (`{file}`)")),
        _ if LOCKED.contains(&password) => None,
        _ => Some(format!("`{name}` has a password (`{file}`)")),
    }
}
