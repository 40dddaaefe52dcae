//! Opens a repository. When that fails, the error says why and what to do.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use git2::{Config, ErrorCode, Repository};

use super::owner::{self, Judgement};
use crate::exec;

/// Opens the repository that contains `folder`.
///
/// Of one that belongs to another user git judges, where it is on PATH, and else libgit2.
pub(super) fn open(folder: &Path) -> anyhow::Result<Repository> {
    let found = Repository::discover(folder);
    let is_disputed = match &found {
        Ok(repo) => owner::is_of_another(repo),
        Err(error) => error.code() == ErrorCode::Owner,
    };
    if !is_disputed {
        return found.map_err(|error| failed(folder, error));
    }
    match (owner::judge(folder)?, found) {
        (Judgement::Accepted(_) | Judgement::NotAsked, Ok(repo)) => Ok(repo),
        (Judgement::Accepted(place), Err(_)) => {
            if let Some(remedy) = unsupported(folder).with_context(|| unopened(folder))? {
                bail!("{}: {remedy}", unopened(folder));
            }
            place.open().map_err(|error| failed(folder, error))
        }
        (Judgement::NotAsked, Err(_)) => Err(of_another(folder, &owner::unread())),
        (Judgement::Refused(None), _) => Err(of_another(folder, &[])),
        (Judgement::Refused(Some(why)), _) => Err(anyhow!(
            "git refuses the repository at `{}`, which belongs to another user: {why}; hint: `git \
             status` there shows the same",
            owned_root(folder)
        )),
    }
}

/// The error for a repository of another user. `unread` are the settings that were not looked at.
fn of_another(folder: &Path, unread: &[String]) -> anyhow::Error {
    let root = owned_root(folder);
    let words = ["config", "--global", "--add", "safe.directory"];
    let words: Vec<&str> = words.into_iter().chain([root.as_str()]).collect();
    let more = match unread {
        [] => String::new(),
        unread => format!(
            "; git is not on PATH, and libgit2 does not read {}",
            unread.join(", ")
        ),
    };
    anyhow!(
        "git refuses the repository at `{root}`: it belongs to another user; hint: `{}`{more}",
        exec::quoted("git", &words)
    )
}

fn unopened(folder: &Path) -> String {
    format!(
        "failed to open the git repository at `{}`",
        folder.display()
    )
}

/// The error for a repository that libgit2 does not open, whoever owns it.
fn failed(folder: &Path, error: git2::Error) -> anyhow::Error {
    if error.code() == ErrorCode::NotFound {
        return anyhow!(
            "`{}` is not in a git repository, and an image is named after its commit; \
             hint: build in a `git clone`, or `git init && git add --all && git commit` here",
            folder.display()
        );
    }
    let what = unopened(folder);
    match unsupported(folder) {
        Ok(Some(remedy)) => anyhow!("{what}: {remedy}"),
        Ok(None) => anyhow::Error::new(error).context(format!(
            "{what}; hint: `git fsck` there shows what is broken"
        )),
        Err(config) => config.context(what),
    }
}

/// The folder that `safe.directory` must name: the work tree's root, or the bare repository.
fn owned_root(folder: &Path) -> String {
    let root = folder
        .ancestors()
        .find(|folder| folder.join(".git").exists());
    let bare = || git_dir(folder).unwrap_or_else(|_| folder.to_owned());
    let root = root.map_or_else(bare, Path::to_owned);
    // git compares without the slash that libgit2 ends its paths with.
    root.components().collect::<PathBuf>().display().to_string()
}

fn git_dir(folder: &Path) -> Result<PathBuf, git2::Error> {
    Repository::discover_path(folder, [] as [&Path; 0])
}

/// What the repository uses that libgit2 cannot read, with the remedy; `None` when something else
/// is wrong.
fn unsupported(folder: &Path) -> anyhow::Result<Option<String>> {
    let git_dir = git_dir(folder)?;
    let common = match std::fs::read_to_string(git_dir.join("commondir")) {
        Ok(path) => git_dir.join(path.trim_end()),
        // Only a linked worktree has this file.
        Err(_) => git_dir,
    };
    let path = common.join("config");
    let config = Config::open(&path)
        .and_then(|mut config| config.snapshot())
        .with_context(|| {
            format!(
                "failed to read `{}`; hint: `git config --list` shows where it is wrong",
                path.display()
            )
        })?;
    let is = |key: &str, value: &str| config.get_bytes(key).is_ok_and(|v| v == value.as_bytes());
    Ok(if is("extensions.objectformat", "sha256") {
        Some(
            "its object ids are SHA-256, which libgit2 cannot read; hint: work in a SHA-1 copy: \
             `git init --object-format=sha1 ../copy && git fast-export --all | git -C ../copy \
             fast-import && git -C ../copy checkout -f $(git branch --show-current)`"
                .to_owned(),
        )
    } else if is("extensions.refstorage", "reftable") {
        Some(
            "its references are kept as a reftable, which libgit2 cannot read; \
             hint: work in a copy, `git clone --ref-format=files . ../copy`, or from git 2.49 on \
             `git refs migrate --ref-format=files`"
                .to_owned(),
        )
    } else if let Ok(remote) = config.get_string("extensions.partialclone") {
        Some(format!(
            "it is a partial clone in the old form, which libgit2 cannot read; hint: `git config \
             remote.{remote}.promisor true && git config --unset extensions.partialclone`"
        ))
    } else {
        None
    })
}
