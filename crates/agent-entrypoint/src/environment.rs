//! Adds the environment variables that programs count on, where the caller has not set them.

use core::ffi::CStr;

use rustix::fs::CWD;
use rustix::io::Errno;

use crate::env::Env;
use crate::sys::{self, Word, Words};
use crate::text::{Text, number};
use crate::user::User;

/// The account of an unknown UID (`docker run --user 1234`): the image's own user, whose home every user
/// can write to.
const FALLBACK: Account<'_> = Account {
    name: b"agentgate",
    home: b"/home/agentgate",
    shell: b"/bin/bash",
};

/// The default of PATH.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account<'a> {
    name: &'a [u8],
    home: &'a [u8],
    shell: &'a [u8],
}

/// A variable to add, or to replace.
type Variable<'a> = (&'static str, &'a [u8]);
const MOST: usize = 7;

/// Room for the added variables. A longer one is left out: no home has 255 bytes.
pub type Room = [Text<256>; MOST];
pub const ROOM: Room = [Text::new(); MOST];

/// The bytes of `/etc/passwd` that are read; an image's own has a tenth of it.
const PASSWD: usize = 16 * 1024;
type Line = Text<512>;

/// The caller's environment, with what is missing added.
pub fn complete<'a>(
    given: &'a Words<'a>,
    user: User,
    room: &'a mut Room,
) -> Result<&'a Words<'a>, Errno> {
    let env = Env(given);
    let mut line = Line::new();
    let account = needs_account(env, user).then(|| find_account(user.uid, &mut line));
    let account = account.flatten().unwrap_or(FALLBACK);
    let added = missing(env, account, user);
    if added.iter().all(Option::is_none) {
        return Ok(given);
    }
    for (text, (name, value)) in room.iter_mut().zip(added.iter().flatten()) {
        let name = name.as_bytes();
        text.push(name).push(b"=").push(value).push(b"\0");
    }
    let is_kept = |variable: &&Word<'_>| {
        let mut added = added.iter().flatten();
        added.all(|(name, _)| variable.value_of(name).is_none())
    };
    let kept = given.iter().flatten().filter(is_kept).copied();
    let added = room.iter().filter_map(Text::as_c_str).map(Word::new);
    sys::keep_words(given.len() + MOST, kept.chain(added))
}

/// Returns true if something is missing that only `/etc/passwd` has.
fn needs_account(env: Env<'_>, user: User) -> bool {
    let is_missing = |name| env.get(name).is_none();
    user.is_new || is_homeless(env, user) || is_missing("SHELL") || is_missing("USER")
}

/// The command's home, as far as it is known without `/etc/passwd`.
pub fn home(env: Env<'_>, user: User) -> &[u8] {
    let given = env.get("HOME").filter(|_| !user.is_new);
    match given {
        Some(given) if !is_homeless(env, user) => given.to_bytes(),
        _ => FALLBACK.home,
    }
}

/// Returns true without a usable home: Docker sets `/` for a UID that it does not know.
fn is_homeless(env: Env<'_>, user: User) -> bool {
    let home = env.filled("HOME");
    home.is_none_or(|home| home == c"/" && user.uid != 0)
}

fn missing<'a>(env: Env<'a>, account: Account<'a>, user: User) -> [Option<Variable<'a>>; MOST] {
    let unless_given =
        |name: &'static str, value: &'a [u8]| env.get(name).is_none().then_some((name, value));
    let of_user = |name, value| {
        let is_wrong = user.is_new.then_some((name, value));
        is_wrong.or_else(|| unless_given(name, value))
    };
    let given_name = env.get("USER").filter(|_| !user.is_new);
    let name = given_name.map_or(account.name, CStr::to_bytes);
    [
        of_user("HOME", account.home)
            .or_else(|| is_homeless(env, user).then_some(("HOME", account.home))),
        of_user("USER", account.name),
        of_user("LOGNAME", name),
        of_user("SHELL", account.shell),
        unless_given("LANG", b"C.UTF-8"),
        unless_given("TMPDIR", b"/tmp"),
        unless_given("PATH", PATH.as_bytes()),
    ]
}

/// Finds an account in `/etc/passwd`. Not inlined, because only this function needs so much stack.
#[inline(never)]
fn find_account(uid: u32, line: &mut Line) -> Option<Account<'_>> {
    let passwd = Text::<PASSWD>::read(CWD, c"/etc/passwd").ok()?;
    let mut lines = passwd.as_bytes().split(|byte| *byte == b'\n');
    let found = lines.find(|line| account(line, uid).is_some())?;
    account(line.push(found).as_bytes(), uid)
}

/// The account of a line of `/etc/passwd`, if it has this UID and is complete.
fn account(line: &[u8], uid: u32) -> Option<Account<'_>> {
    let mut fields = line.split(|byte| *byte == b':');
    let name = fields.next()?;
    let id = fields.nth(1)?;
    let home = fields.nth(2)?;
    let shell = fields.next()?;
    (number(id, 10) == Some(uid)).then_some(Account { name, home, shell })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::{each, words};

    const ROOT: Account<'_> = Account {
        name: b"root",
        home: b"/root",
        shell: b"/bin/ash",
    };

    #[test]
    fn accounts_are_complete_lines_with_the_uid() {
        for (line, uid, expected) in [
            ("root:x:0:0:root:/root:/bin/ash", 0, Some(ROOT)),
            ("root:x:0:0:root:/root:/bin/ash", 1, None),
            (
                "agentgate:x:1000:1000::/home/agentgate:/bin/bash",
                1000,
                Some(FALLBACK),
            ),
            ("broken:x:7", 7, None),
            ("", 0, None),
        ] {
            assert_eq!(account(line.as_bytes(), uid), expected, "{line}");
        }
        let mut line = Line::new();
        assert_eq!(find_account(0, &mut line).unwrap().name, b"root");
        assert_eq!(find_account(4_000_000_000, &mut Line::new()), None);
    }

    fn added(given: &[&str], uid: u32, is_new: bool) -> Vec<String> {
        let added = missing(Env(words(given)), ROOT, User { uid, is_new });
        let text =
            |(name, value): &Variable<'_>| format!("{name}={}", String::from_utf8_lossy(value));
        added.iter().flatten().map(text).collect()
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_given_stays() {
        let all = [
            "HOME=/h",
            "USER=u",
            "LOGNAME=l",
            "SHELL=/s",
            "LANG=de",
            "TMPDIR=/t",
            "PATH=/bin",
        ];
        let rest = ["LANG=C.UTF-8", "TMPDIR=/tmp"];
        let path = format!("PATH={PATH}");
        let of_root = ["HOME=/root", "USER=root", "LOGNAME=root", "SHELL=/bin/ash"];
        assert_eq!(added(&all, 7, false), [""; 0]);
        assert_eq!(added(&all, 7, true), of_root);
        assert_eq!(added(&["PATH="], 7, false), [&of_root[..], &rest].concat());
        let named = ["HOME=/root", "LOGNAME=u", "SHELL=/bin/ash"];
        assert_eq!(
            added(&["USER=u", "HOME=/", &path], 7, false),
            [&named[..], &rest].concat()
        );
        assert_eq!(
            added(&["USER=u", "HOME=/", &path], 0, false),
            [&named[1..], &rest].concat()
        );
    }

    #[test]
    fn the_new_environment_holds_each_name_once() {
        let mut room = ROOM;
        let given = words(&[
            "A=1",
            "HOME=",
            "USER=u",
            "LOGNAME=l",
            "SHELL=s",
            "PATH=p",
            "LANG=c",
        ]);
        let user = User {
            uid: 4_000_000_000,
            is_new: false,
        };
        let complete = complete(given, user, &mut room).unwrap();
        assert_eq!(complete.last(), Some(&None));
        let all: Vec<_> = each(complete).map(|word| word.to_str().unwrap()).collect();
        let (kept, added) = all.split_at(6);
        assert_eq!(
            kept,
            ["A=1", "USER=u", "LOGNAME=l", "SHELL=s", "PATH=p", "LANG=c"]
        );
        assert_eq!(added, ["HOME=/home/agentgate", "TMPDIR=/tmp"]);
    }

    mod properties {
        use proptest::collection::vec;
        use proptest::prelude::*;

        use super::*;
        use crate::sys::words_of_bytes;

        const NAMES: [&str; MOST] = ["HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR", "PATH"];

        fn variable() -> impl Strategy<Value = Vec<u8>> {
            let known = (proptest::sample::select(&NAMES[..]), vec(1..=u8::MAX, 0..4));
            let known = known.prop_map(|(name, value)| [name.as_bytes(), &value].join(&b'='));
            prop_oneof![known, vec(1..=u8::MAX, 0..8)]
        }

        proptest! {
            /// No line of `/etc/passwd` is too odd, and a good one is found behind any other.
            #[test]
            fn any_account_is_read(line: Vec<u8>, name in "[a-z]{0,8}", uid: u32, odd: u32) {
                account(&line, odd);
                let good = format!("{name}:x:{uid}:0:Gecos, of any kind:/home/{name}:/bin/{name}:more");
                let read = account(good.as_bytes(), uid);
                prop_assert_eq!(read.map(|account| account.name), Some(name.as_bytes()));
                prop_assert!(account(good.as_bytes(), uid ^ 1).is_none());
            }

            /// Every name that programs count on is set, other variables stay untouched and in order, and
            /// HOME is never empty.
            #[test]
            fn any_environment_is_completed(
                given in vec(variable(), 0..10),
                uid: u32,
                is_new: bool,
            ) {
                let given = words_of_bytes(&given);
                let mut room = ROOM;
                let complete = complete(given, User { uid, is_new }, &mut room).unwrap();
                prop_assert_eq!(complete.last(), Some(&None));
                let env = Env(complete);
                prop_assert!(NAMES.iter().all(|name| env.get(name).is_some()));
                prop_assert!(env.filled("HOME").is_some());
                let is_other = |word: &Word<'_>| NAMES.iter().all(|name| word.value_of(name).is_none());
                let others = |words: &[Option<Word<'_>>]| {
                    let words = words.iter().flatten().filter(|word| is_other(word));
                    words.map(|word| word.as_c_str().to_owned()).collect::<Vec<_>>()
                };
                prop_assert_eq!(others(complete), others(given));
            }
        }
    }
}
