//! The probe of git: the check of [`repository`]; with `--deep`, git itself opens the repository.

use core::ffi::CStr;

use rustix::fd::OwnedFd;

use super::answer::{Answer, Asked, VERSION, Verdict, fail, run_program};
use crate::exit::Refusal;
use crate::repository;
use crate::say;
use crate::sys::{self, CallerSignals, Word, Words};
use crate::text::{Path, Shown};

/// Keeps git from executing programs and from the network, whatever the repository's settings ask for. A
/// missing object counts as missing even if a remote promises it.
const SAFE: [&CStr; 5] = [
    c"GIT_NO_LAZY_FETCH=1",
    c"GIT_ALLOW_PROTOCOL=",
    c"GIT_OPTIONAL_LOCKS=0",
    c"GIT_TERMINAL_PROMPT=0",
    // Its errors in English.
    c"LC_ALL=C",
];

/// Answers for the repository, or becomes git.
pub fn run(asked: &Asked<'_>, caller: CallerSignals, pipe: &OwnedFd) -> u8 {
    let workspace = asked.probes.workspace;
    let mut room = Path::new();
    let is_repository = match repository::check(workspace, asked.me, &mut room) {
        Ok(is_repository) => is_repository,
        Err(trouble) => return fail(&trouble),
    };
    let folder = room.set_path(&[workspace.to_bytes(), repository::FILE]);
    match (is_repository, asked.probes.deep) {
        (true, false) => say::data(folder.to_bytes()),
        (false, false) => say::data(b"no repository"),
        (false, true) => run_program(&[c"git", VERSION], asked.environment, caller, None),
        (true, true) => open(folder, asked.environment, caller, pipe),
    }
}

/// Lets git read its settings, HEAD, each ref and the index. It fails if one of them names a commit that
/// is missing, and accepts a repository without commits.
///
/// `.git` is given, so that git neither searches the folders above nor takes a folder with the files of
/// a bare repository for one. Of the settings that make git execute a program, `rev-list` uses only
/// `core.fsmonitor`, for the index.
fn open(folder: &CStr, environment: &Words<'_>, caller: CallerSignals, pipe: &OwnedFd) -> u8 {
    let mut room = Path::new();
    let option = room.set_path(&[b"--git-dir=", folder.to_bytes()]);
    let command = [
        c"git",
        c"--no-pager",
        option,
        c"-c",
        c"core.fsmonitor=false",
        c"-c",
        c"core.hooksPath=/dev/null",
        c"rev-list",
        c"--max-count=1",
        c"--all",
        c"--single-worktree",
        c"--indexed-objects",
    ];
    let safe = SAFE.map(Word::new).into_iter();
    let most = environment.len().saturating_add(SAFE.len());
    // Of two variables with one name, the first counts.
    match sys::keep_words(most, safe.chain(environment.iter().flatten().copied())) {
        Ok(environment) => run_program(&command, environment, caller, Some(pipe)),
        Err(errno) => fail(&Refusal::NoMemory(errno)),
    }
}

/// Judges what is special to git: no output in a repository without commits, the error when it cannot
/// open the repository, and warnings before the commit.
pub fn judge(answer: &[u8], status: i32) -> Option<Verdict> {
    let mut lines = answer.split(|byte| *byte == b'\n');
    if status != 0 {
        let why = Shown(lines.find(|line| line.starts_with(b"fatal: "))?);
        return Some(Verdict::fail(format_args!(
            "git cannot open the repository: {why}; hint: `git fsck` in the workspace says more"
        )));
    }
    let mut text = Answer::new();
    match lines.next_back() {
        Some(last) if !last.is_empty() => text.push(last),
        _ => text.push(b"no commits yet"),
    };
    let is_well = true;
    Some(Verdict { is_well, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_git_are_judged() {
        const FAILED: i32 = 128 << 8;
        let hint = "hint: `git fsck` in the workspace says more";
        for (answer, status, expected) in [
            ("git version 2.52.0", 0, Ok("git version 2.52.0")),
            ("warning: odd\n0123abc", 0, Ok("0123abc")),
            ("", 0, Ok("no commits yet")),
            (
                "error: object file x is empty\nfatal: loose object x is corrupt\nmore",
                FAILED,
                Err(format!(
                    "git cannot open the repository: fatal: loose object x is corrupt; {hint}"
                )),
            ),
        ] {
            let verdict = judge(answer.as_bytes(), status).unwrap();
            assert_eq!(verdict.is_well, expected.is_ok(), "{answer}");
            let text = expected.map_or_else(|error| error, str::to_owned);
            assert_eq!(verdict.text.as_bytes(), text.as_bytes());
        }
        // Answers that are this program's, or none at all.
        for (answer, status) in [
            ("command not found: `git`", 127 << 8),
            ("", 9),
            ("odd", 1 << 8),
        ] {
            assert!(judge(answer.as_bytes(), status).is_none());
        }
    }
}
