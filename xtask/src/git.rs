//! What git says of the workspace. The only user of git2; read-only.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use git2::{ErrorCode, Repository, Status, StatusOptions};
use serde::Serialize;

/// The first second that RFC 3339 has no way to write.
const YEAR_10000: u64 = 253_402_300_800;

/// HEAD and the tree around it, as plain data.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Head {
    /// The full commit id.
    pub(crate) revision: String,
    /// The branch's short name; none when HEAD is detached.
    pub(crate) branch: Option<String>,
    /// The committer's time, in seconds since 1970 (what `SOURCE_DATE_EPOCH` takes).
    pub(crate) epoch: i64,
    /// Paths that differ from the commit, untracked ones that are not ignored included.
    pub(crate) dirty: Vec<String>,
    /// Where the source can be read: the `origin` remote as a web address.
    pub(crate) source: Option<String>,
}

impl Head {
    /// The first seven hex digits, the name of the commit in a `sha-` tag.
    pub(crate) fn short(&self) -> &str {
        self.revision.get(..7).unwrap_or(&self.revision)
    }

    /// The `org.opencontainers.image.revision` label: a dirty tree is no commit, and says so.
    pub(crate) fn revision_label(&self) -> String {
        let suffix = if self.dirty.is_empty() { "" } else { "-dirty" };
        format!("{}{suffix}", self.revision)
    }

    /// The commit's time as RFC 3339, in UTC.
    pub(crate) fn created(&self) -> anyhow::Result<String> {
        let seconds = u64::try_from(self.epoch)
            .ok()
            .filter(|seconds| *seconds < YEAR_10000);
        let seconds = seconds.with_context(|| {
            format!(
                "commit `{}` has no usable time: {}",
                self.revision, self.epoch
            )
        })?;
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        Ok(humantime::format_rfc3339_seconds(time).to_string())
    }
}

/// Reads HEAD of the repository that `root` is in.
pub(crate) fn read_head(root: &Path) -> anyhow::Result<Head> {
    let repo = open(root)?;
    let head = match repo.head() {
        Ok(head) => head,
        Err(error) if error.code() == ErrorCode::UnbornBranch => bail!(
            "the repository `{}` has no commit yet, so an image of it has no revision; \
             hint: `git add --all && git commit`",
            root.display()
        ),
        Err(error) => {
            return Err(error)
                .context("failed to read git's HEAD; hint: `git fsck` shows what is broken");
        }
    };
    let commit = head
        .peel_to_commit()
        .context("git's HEAD does not lead to a commit")?;
    let branch = head
        .is_branch()
        .then(|| String::from_utf8_lossy(head.shorthand_bytes()).into_owned());
    Ok(Head {
        revision: commit.id().to_string(),
        branch,
        epoch: commit.time().seconds(),
        dirty: dirty_paths(&repo)?,
        source: origin(&repo)?,
    })
}

fn open(root: &Path) -> anyhow::Result<Repository> {
    Repository::discover(root).map_err(|error| match error.code() {
        ErrorCode::NotFound => anyhow::anyhow!(
            "`{}` is not in a git repository, and an image is named after its commit; \
             hint: build in a `git clone`, or `git init && git add --all && git commit` here",
            root.display()
        ),
        ErrorCode::Owner => anyhow::anyhow!(
            "git refuses the repository at `{0}`: it belongs to another user; \
             hint: `git config --global --add safe.directory {0}`",
            root.display()
        ),
        _ => anyhow::Error::new(error).context(format!(
            "failed to open the git repository at `{}`",
            root.display()
        )),
    })
}

/// The paths `git status` would list. Assumes a work tree; a bare repository has no dirty path.
fn dirty_paths(repo: &Repository) -> anyhow::Result<Vec<String>> {
    if repo.is_bare() {
        return Ok(Vec::new());
    }
    let mut options = StatusOptions::new();
    options.include_untracked(true).exclude_submodules(false);
    let statuses = repo
        .statuses(Some(&mut options))
        .context("failed to compare the tree with HEAD")?;
    Ok(statuses
        .iter()
        .filter(|entry| entry.status() != Status::CURRENT && !entry.status().is_ignored())
        .map(|entry| String::from_utf8_lossy(entry.path_bytes()).into_owned())
        .collect())
}

fn origin(repo: &Repository) -> anyhow::Result<Option<String>> {
    match repo.find_remote("origin") {
        Ok(remote) => Ok(web_address(&String::from_utf8_lossy(remote.url_bytes()))),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
        Err(error) => Err(error).context("failed to read the git remote `origin`"),
    }
}

/// The https address of a remote, without credentials; none for a path or an unknown scheme.
fn web_address(url: &str) -> Option<String> {
    let (host, path) = match url.split_once("://") {
        Some(("https" | "http" | "ssh" | "git", rest)) => rest.split_once('/')?,
        Some(_) => return None,
        // scp-like: `git@github.com:owner/name.git`; without a colon it is a local path.
        None => url
            .split_once(':')
            .filter(|(host, _)| !host.contains('/'))?,
    };
    let host = host
        .rsplit_once('@')
        .map_or(host, |(_credentials, host)| host);
    let host = host.split(':').next().unwrap_or(host);
    let path = path.trim_matches('/').trim_end_matches(".git");
    (!host.is_empty() && !path.is_empty()).then(|| format!("https://{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_become_web_addresses_without_credentials() {
        let want = Some("https://github.com/me/agent".to_owned());
        for url in [
            "https://github.com/me/agent",
            "https://github.com/me/agent.git",
            "https://x-access-token:s3cret@github.com/me/agent.git",
            "ssh://git@github.com:22/me/agent.git",
            "git@github.com:me/agent.git",
        ] {
            assert_eq!(web_address(url), want, "{url}");
        }
        for url in [
            "/srv/git/agent.git",
            "../agent",
            "file:///srv/agent",
            "https://github.com",
            "",
        ] {
            assert_eq!(web_address(url), None, "{url}");
        }
    }

    #[test]
    fn a_time_that_is_no_time_is_an_error() {
        let head = |epoch| Head {
            revision: "0123456789".into(),
            branch: None,
            epoch,
            dirty: vec![],
            source: None,
        };
        assert_eq!(head(0).created().unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(
            head(1_764_000_000).created().unwrap(),
            "2025-11-24T16:00:00Z"
        );
        for bad in [-1, i64::MAX, i64::MIN] {
            let error = head(bad).created().unwrap_err().to_string();
            assert!(error.contains("`0123456789` has no usable time"), "{error}");
        }
    }
}
