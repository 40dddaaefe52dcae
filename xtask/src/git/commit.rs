//! Makes a commit, through the `git` command: it has the user's name, hooks and signature. The only write here.

use crate::exec::Exec;

/// Commits the files at `paths`, relative to the workspace, as they are in the tree, and nothing else.
///
/// Fails when git does, also by a hook; the files stay as they are.
pub(crate) fn commit_files(exec: &Exec, message: &str, paths: &[String]) -> anyhow::Result<()> {
    let mut args = vec!["commit", "--quiet", "--message", message, "--"];
    args.extend(paths.iter().map(String::as_str));
    exec.watch("git", &args)
}
