//! Whether a repository that belongs to another user may be read. git decides, where it is on PATH.
//!
//! libgit2 1.9 reads `safe.directory` from the files in their usual places alone, and knows whole paths and
//! `*`. git reads more: patterns, and the settings that its environment variables name. Its answer
//! counts both ways: it may also refuse what libgit2 lets pass.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use git2::{Config, Repository};

use crate::exec::Exec;
use crate::printable;

/// Where git itself looks for the repository, whatever folder it is asked in. It does not check the owner
/// of one that is named so (git-config(1), `safe.directory`), and libgit2 does not read them.
const PLACES: [&str; 3] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR"];

/// The environment variables that may allow a repository, and that libgit2 does not read (git(1),
/// git-config(1)).
const SETTINGS: [&str; 4] = [
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
];

/// What git says of a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It reads the repository.
    Accepted(Place),
    /// It refuses, for the owner or for the reason given.
    Refused(Option<String>),
    /// There is no git to ask.
    NotAsked,
}

/// Where git finds a repository.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    git_dir: PathBuf,
    /// None for a bare repository.
    work_tree: Option<PathBuf>,
}

impl Place {
    /// Opens the repository without asking for its owner: git has accepted it.
    pub(super) fn open(&self) -> Result<Repository, git2::Error> {
        let repo = Repository::open_bare(&self.git_dir)?;
        if let Some(work_tree) = &self.work_tree {
            repo.set_workdir(work_tree, false)?;
        }
        Ok(repo)
    }
}

/// Whether a part of the repository belongs to another user: what git checks the owner of.
pub(super) fn is_of_another(repo: &Repository) -> bool {
    let user = rustix::process::geteuid().as_raw();
    let link = repo.workdir().map(|tree| tree.join(".git"));
    let paths = repo.workdir().into_iter().chain(link.as_deref());
    let mut owners = paths
        .chain([repo.path()])
        .filter_map(|path| Some(path.symlink_metadata().ok()?.uid()));
    owners.any(|owner| owner != user)
}

/// Asks git about the repository that `folder` is in.
pub(super) fn judge(folder: &Path) -> anyhow::Result<Judgement> {
    let exec = Exec::new(folder, false)?;
    if exec.find("git").is_none() {
        return Ok(Judgement::NotAsked);
    }
    let said = exec.output_without(&PLACES, "git", &QUESTION)?;
    Ok(match parse(&said.stdout) {
        Some(place) if said.status.success() || place.work_tree.is_none() => {
            Judgement::Accepted(place)
        }
        _ => Judgement::Refused(reason(&said.stderr)),
    })
}

/// The last word fails in a bare repository, after git has answered the others.
const QUESTION: [&str; 4] = [
    "rev-parse",
    "--is-bare-repository",
    "--absolute-git-dir",
    "--show-toplevel",
];

/// Where the repository is; none unless every path is that of a folder. One with a line break in its name
/// is not found: then the repository is refused.
fn parse(stdout: &[u8]) -> Option<Place> {
    let (is_bare, rest) = split(stdout)?;
    let (git_dir, work_tree) = match is_bare {
        b"true" => (rest.strip_suffix(b"\n")?, None),
        b"false" => {
            let (git_dir, rest) = split(rest)?;
            (git_dir, Some(rest.strip_suffix(b"\n")?))
        }
        _ => return None,
    };
    let path = |bytes| PathBuf::from(OsStr::from_bytes(bytes));
    let (git_dir, work_tree) = (path(git_dir), work_tree.map(path));
    let is_there = |path: &PathBuf| path.is_absolute() && path.is_dir();
    let is_whole = is_there(&git_dir) && work_tree.as_ref().is_none_or(is_there);
    is_whole.then_some(Place { git_dir, work_tree })
}

fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// What git says, unless it is about the owner: then it names the setting, in every language.
fn reason(stderr: &[u8]) -> Option<String> {
    let text = printable::bytes(stderr.split(|byte| *byte == b'\n').next()?);
    let is_of_owner = String::from_utf8_lossy(stderr).contains("safe.directory");
    (!is_of_owner).then_some(text)
}

/// What libgit2 does not read of the settings that may allow the repository; for the error where there
/// is no git to ask.
pub(super) fn unread() -> Vec<String> {
    let variables = SETTINGS.into_iter();
    let variables = variables.filter(|name| std::env::var_os(name).is_some());
    let mut unread: Vec<String> = variables.map(|name| format!("`{name}`")).collect();
    // A setting that cannot be read allows nothing.
    let allowed = Config::open_default().and_then(|config| allowed(&config));
    let patterns = allowed.unwrap_or_default().into_iter();
    let patterns = patterns.filter(|value| is_pattern(value));
    unread.extend(patterns.map(|value| format!("`safe.directory = {value}`")));
    unread
}

fn allowed(config: &Config) -> Result<Vec<String>, git2::Error> {
    let mut values = Vec::new();
    config.multivar("safe.directory", None)?.for_each(|entry| {
        if entry.has_value() {
            values.push(printable::bytes(entry.value_bytes()));
        }
    })?;
    Ok(values)
}

/// Whether git reads more into the value than a path.
fn is_pattern(value: &str) -> bool {
    value.ends_with("/*") || value.starts_with(['~', '%'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gits_answer_is_where_the_repository_is() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (git, tree) = (folder.join(".git"), folder.to_owned());
        std::fs::create_dir(&git).unwrap();
        let place = |work_tree: Option<&PathBuf>| Place {
            git_dir: git.clone(),
            work_tree: work_tree.cloned(),
        };
        let (shown, root) = (git.display(), tree.display());
        for (stdout, want) in [
            (
                format!("false\n{shown}\n{root}\n"),
                Some(place(Some(&tree))),
            ),
            (format!("true\n{shown}\n"), Some(place(None))),
            // In git's own folder there is no work tree to name.
            (format!("false\n{shown}\n"), None),
            (format!("true\n{shown}x\n"), None),
            ("true\n.\n".to_owned(), None),
            (format!("{shown}\n"), None),
            (String::new(), None),
        ] {
            assert_eq!(parse(stdout.as_bytes()), want, "{stdout}");
        }
    }

    #[test]
    fn what_git_says_is_kept_unless_it_is_about_the_owner() {
        let owner = "fatal: detected dubious ownership in repository at '/x'\nTo add an exception \
                     for this directory, call:\n\n\tgit config --global --add safe.directory /x\n";
        assert_eq!(reason(owner.as_bytes()), None);
        let broken = b"fatal: bad config line 1 in file /x/\x1b[2Jy\nmore";
        let said = "fatal: bad config line 1 in file /x/\\u{1b}[2Jy";
        assert_eq!(reason(broken).as_deref(), Some(said));
    }

    #[test]
    fn a_setting_that_is_more_than_a_path_is_known() {
        for (value, want) in [
            ("/srv/agent", false),
            ("*", false),
            ("", false),
            ("/srv/*", true),
            ("~/agent", true),
            ("%(prefix)/agent", true),
        ] {
            assert_eq!(is_pattern(value), want, "{value}");
        }
    }
}
