//! How far HEAD is from the nearest version: reads the commits that the walk asks for.

use std::collections::{HashMap, HashSet};
use std::fs;

use anyhow::Context as _;
use git2::{ObjectType, Odb, Oid, Repository};
use serde::Serialize;

use super::walk::{self, Commit};
use super::{loose, refs};
use crate::version::Version;

pub(crate) use super::walk::LIMIT;

/// The version that HEAD comes after, and how many commits it does not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Nearest {
    /// Its git tag.
    pub(crate) tag: String,
    /// Commits that HEAD has and the version has not.
    pub(crate) commits: usize,
}

/// What a look for the nearest version found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    Found(Nearest),
    /// HEAD comes after no version; or HEAD carries one itself, and nothing was looked for.
    None,
    /// HEAD's last [`LIMIT`] commits do not tell.
    GivenUp,
}

/// Finds the version that `git describe` finds, of those in `versions`.
pub(super) fn nearest(
    repo: &Repository,
    head: Oid,
    versions: &HashMap<Oid, &Version>,
) -> anyhow::Result<Search> {
    if versions.is_empty() {
        return Ok(Search::None);
    }
    let odb = repo.odb().context("failed to open git's objects")?;
    let cut = cut_off(repo)?;
    let is_version = |id| versions.contains_key(&id);
    let found = walk::nearest(head, is_version, |id| read(&odb, &cut, id))?;
    Ok(match found {
        walk::Found::Candidate { id, lacks } => Search::Found(Nearest {
            tag: format!("v{}", versions[&id]),
            commits: lacks,
        }),
        walk::Found::None => Search::None,
        walk::Found::GivenUp => Search::GivenUp,
    })
}

/// Reads the head of a commit, and no more: an old one may hold an author that libgit2's own
/// reader refuses.
fn read(odb: &Odb<'_>, cut: &HashSet<Oid>, id: Oid) -> anyhow::Result<Commit> {
    let broken = || {
        format!(
            "commit `{id}` of HEAD's history is broken or not here; hint: `git fsck` shows what \
             is broken, `git fetch --refetch` brings what is missing"
        )
    };
    let object = odb.read(id).with_context(broken)?;
    let head = Some(object.data()).filter(|_| object.kind() == ObjectType::Commit);
    let mut commit = head.and_then(parse).with_context(broken)?;
    if cut.contains(&id) {
        commit.parents.clear();
    }
    Ok(commit)
}

/// The commits that a shallow clone ends with: their parents are not here.
fn cut_off(repo: &Repository) -> anyhow::Result<HashSet<Oid>> {
    let path = repo.commondir().join("shallow");
    let text = loose::if_there(fs::read(&path), &path)?.unwrap_or_default();
    let lines = text.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let ids = lines.map(|line| refs::oid(line.try_into()?));
    ids.collect::<anyhow::Result<_>>().with_context(|| {
        let path = path.display();
        format!("`{path}` is broken; hint: `git fetch --unshallow`")
    })
}

/// The parents and the committer's time; as for git, a time that is none is 1970.
fn parse(text: &[u8]) -> Option<Commit> {
    let mut parents = Vec::new();
    let lines = text.split(|&byte| byte == b'\n');
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(id) = line.strip_prefix(b"parent ") {
            parents.push(refs::oid(id.try_into().ok()?).ok()?);
        } else if let Some(committer) = line.strip_prefix(b"committer ") {
            let time = time(committer).unwrap_or_default();
            return Some(Commit { time, parents });
        }
    }
    None
}

fn time(committer: &[u8]) -> Option<i64> {
    let rest = committer.rsplit(|&byte| byte == b'>').next()?;
    let mut words = std::str::from_utf8(rest).ok()?.split_ascii_whitespace();
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commits_head_gives_its_parents_and_its_time() {
        const A: &str = "1111111111111111111111111111111111111111";
        const B: &str = "2222222222222222222222222222222222222222";
        let look = |text: &str| {
            let commit = parse(text.as_bytes())?;
            let parents: Vec<String> = commit.parents.iter().map(Oid::to_string).collect();
            Some((commit.time, parents.join(" ")))
        };
        let who = "author A <a@b> 1 +0000\ncommitter A <a@b> 1700000000 +0100";
        let merge = format!("tree {A}\nparent {A}\nparent {B}\n{who}\ngpgsig x\n\nparent {B}\n");
        assert_eq!(look(&merge), Some((1_700_000_000, format!("{A} {B}"))));
        for (committer, time) in [
            ("A <a@b> -5 +0000", -5),
            ("A> <a@b> 7 +0000", 7),
            ("A a@b> 7", 7),
            ("A <a@b>", 0),
            ("A <a@b> soon +0000", 0),
            ("A <a@b> 99999999999999999999 +0000", 0),
            ("", 0),
        ] {
            let text = format!("tree {A}\nauthor nobody\ncommitter {committer}\n\nx");
            assert_eq!(look(&text), Some((time, String::new())), "{committer}");
        }
        for broken in [
            format!("tree {A}\nparent {A}0\n{who}\n"),
            format!("tree {A}\nparent x\n{who}\n"),
            format!("tree {A}\n\n{who}\n"),
            String::new(),
        ] {
            assert_eq!(look(&broken), None, "{broken}");
        }
    }
}
