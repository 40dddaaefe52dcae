//! Feeds any bytes to all that the entrypoint parses, and holds it to what it promises of each.
//!
//! The input is cut at each NUL. Its first byte is the number of pieces that are arguments; the others
//! are the environment. All of it together is a line of `/proc/PID/stat`, a `.git` file, a number and a text, too.
#![no_main]

use std::ffi::{CStr, CString};

use agent_entrypoint::config::Config;
use agent_entrypoint::env::Env;
use agent_entrypoint::environment;
use agent_entrypoint::exit;
use agent_entrypoint::sys::{Word, Words, each};
use agent_entrypoint::text::{Shown, Text, number};
use agent_entrypoint::user::User;
use agent_entrypoint::{descendants, mounts, repository};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((count, rest)) = input.split_first() else {
        return;
    };
    let pieces = rest.split(|byte| *byte == 0);
    let texts: Vec<CString> = pieces.map(|piece| CString::new(piece).unwrap()).collect();
    let (arguments, variables) = texts.split_at(texts.len().min(usize::from(count % 16)));
    let (arguments, variables) = (words(arguments), words(variables));
    settings(&arguments, Env(&variables));
    completed(&variables, u32::from(*count));
    texts_of_others(rest);
});

/// As the kernel has them: a null pointer at the end.
fn words(texts: &[CString]) -> Vec<Option<Word<'_>>> {
    let words = texts.iter().map(|text| Some(Word::new(text)));
    words.chain([None]).collect()
}

/// Gives memory back that the program keeps to its end, which here never comes.
fn free(words: &Words<'_>) {
    // SAFETY: `allocate_words` mapped these pages for these words alone, and nobody reads them again.
    unsafe { libc::munmap(words.as_ptr().cast_mut().cast(), size_of_val(words)) };
}

fn settings<'a>(arguments: &'a Words<'a>, env: Env<'a>) {
    let run = match Config::parse(arguments, env) {
        Ok(Config::Run(run)) => run,
        Ok(Config::Headless(headless, run)) => {
            let command = headless.command().unwrap();
            assert_eq!(each(command).next(), Some(c"claude"));
            let given = each(arguments).skip(1);
            let given = given.skip_while(|word| *word != c"headless").skip(1);
            let added = each(command).count() - given.clone().count();
            assert!(each(command).skip(added).eq(given));
            free(command);
            run
        }
        Ok(Config::Health(probes)) => return assert!((1..=3600).contains(&probes.seconds)),
        Ok(Config::Print(text)) => return assert!(!text.is_empty()),
        Err(refusal) => {
            assert_eq!(refusal.code(), exit::USAGE);
            return assert!(!refusal.to_string().contains(char::is_control));
        }
    };
    assert!((1..=3600).contains(&run.grace_seconds));
    assert!(run.umask.is_none_or(|umask| umask <= 0o777));
    let mut parts = run.workspace.to_bytes().split(|byte| *byte == b'/');
    assert_eq!(parts.next(), Some(&b""[..]));
    assert!(parts.all(|part| part != b".."));
    if let Some(command) = run.command {
        assert_eq!(command.as_ptr_range().end, arguments.as_ptr_range().end);
    }
    // A fifth field of the real list, or not: only that it ends, and how, is known.
    let _ = mounts::lists(run.workspace);
}

fn completed(variables: &Words<'_>, number: u32) {
    let mut room = environment::ROOM;
    let user = User {
        uid: number / 2,
        is_new: number % 2 == 1,
    };
    let complete = environment::complete(variables, user, &mut room).unwrap();
    let names = ["HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR", "PATH"];
    // What is put together may be too long to be added, which only the name of the user can be here.
    let is_long = |name: &CStr| name.to_bytes().len() > 240;
    let mut names = names
        .iter()
        .filter(|name| **name != "LOGNAME" || !Env(variables).get("USER").is_some_and(is_long));
    assert!(names.all(|name| Env(complete).get(name).is_some()));
    assert_eq!(complete.last(), Some(&None));
    if complete.as_ptr() != variables.as_ptr() {
        free(complete);
    }
}

fn texts_of_others(bytes: &[u8]) {
    descendants::parent(bytes);
    let read = number(bytes, 10);
    if let Some(digits) = std::str::from_utf8(bytes)
        .ok()
        .filter(|text| !text.starts_with('+'))
    {
        assert_eq!(read, digits.parse().ok());
    }
    pointers(bytes);
    let shown = Shown(bytes).to_string();
    assert!(!shown.contains(char::is_control));
    let mut text = Text::<64>::new();
    text.push(bytes).push(b"\0");
    let whole = CString::new(bytes)
        .ok()
        .filter(|text| text.as_bytes().len() < 64);
    assert_eq!(text.as_c_str(), whole.as_deref() as Option<&CStr>);
}

/// What a `.git` file may hold, with and without the words that git wants first.
fn pointers(bytes: &[u8]) {
    for text in [bytes, &[b"gitdir: ", bytes].concat()] {
        let Some(path) = repository::target(text) else {
            continue;
        };
        assert!(!path.is_empty() && !path.contains(&0));
        assert!(text[b"gitdir: ".len()..].starts_with(path));
        if let Some(folder) = repository::repository_of(path) {
            assert!(
                path.starts_with(folder) && folder.starts_with(b"/") && folder.ends_with(b"/.git")
            );
            // It gets into a command that somebody may copy into a shell.
            let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(byte);
            assert!(folder.iter().all(is_plain));
        }
    }
}
