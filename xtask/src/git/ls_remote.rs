//! Asks a git remote for a tag, through the `git` command: it has the user's credentials.

use std::time::Duration;

use crate::exec::Exec;
use crate::version::Version;

/// How long a remote may take to answer.
const LIMIT: Duration = Duration::from_mins(1);

/// A remote's answer about a tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemoteTag {
    /// The id of the commit that the tag leads to; `None` when the remote lacks the tag.
    At(Option<String>),
    /// The remote does not answer, or not with references; why.
    Unknown(String),
}

/// Asks a remote for the tag of a version. Fails only when git cannot be started.
pub fn remote_tag(exec: &Exec, remote: &str, version: &Version) -> anyhow::Result<RemoteTag> {
    let name = format!("refs/tags/v{version}");
    let peeled = format!("{name}^{{}}");
    exec.set_var("GIT_TERMINAL_PROMPT", "0");
    let output = exec.within("git", &["ls-remote", remote, &name, &peeled], LIMIT)?;
    if output.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return Ok(RemoteTag::At(commit(&text).map(str::to_owned)));
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let silence = if output.status.is_none() {
        "it does not answer"
    } else {
        "no reason given"
    };
    let why = stderr.trim().lines().next().unwrap_or(silence);
    Ok(RemoteTag::Unknown(why.to_owned()))
}

/// The commit's id in the output of `git ls-remote`: a line for the tag, and for an annotated one
/// another line, with what it leads to.
fn commit(text: &str) -> Option<&str> {
    let line = text.lines().rfind(|line| line.contains("refs/tags/"))?;
    line.split_once('\t').map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_annotated_tag_is_followed_to_its_commit() {
        assert_eq!(commit("c1\trefs/tags/v1.2.3\n"), Some("c1"));
        let annotated = "t1\trefs/tags/v1.2.3\nc1\trefs/tags/v1.2.3^{}\n";
        assert_eq!(commit(annotated), Some("c1"));
        assert_eq!(commit(""), None);
    }
}
