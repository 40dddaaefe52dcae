//! Running the `docker` client: no other file starts it.

use std::io::Read;
use std::process::Output;
use std::time::Duration;

use crate::exec::{self, Ended, Exec};

const DOCKER: &str = "docker";

/// How long an engine may take to give an image out; it takes seconds.
const SAVE: Duration = Duration::from_mins(10);

/// `docker ARGS` as it can be pasted into a shell.
pub(crate) fn quoted(args: &[impl AsRef<str>]) -> String {
    exec::quoted(DOCKER, args)
}

/// Whether there is a client on PATH.
pub(crate) fn is_installed(exec: &Exec) -> bool {
    exec.find(DOCKER).is_some()
}

/// See [`Exec::output`].
pub(crate) fn output(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<Output> {
    exec.output(DOCKER, args)
}

/// See [`Exec::read`].
pub(super) fn read(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<String> {
    exec.read(DOCKER, args)
}

/// See [`Exec::watch`].
pub(crate) fn watch(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
    exec.watch(DOCKER, args)
}

/// See [`Exec::within`].
pub(crate) fn within(
    exec: &Exec,
    args: &[impl AsRef<str>],
    limit: Duration,
) -> anyhow::Result<Ended> {
    exec.within(DOCKER, args, limit)
}

/// See [`Exec::typed`].
pub(crate) fn typed(
    exec: &Exec,
    args: &[impl AsRef<str>],
    input: &str,
    limit: Duration,
) -> anyhow::Result<Ended> {
    exec.typed(DOCKER, args, input, limit)
}

/// See [`Exec::clean_up`].
pub(crate) fn clean_up(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
    exec.clean_up(DOCKER, args)
}

/// Reads the archive of `docker save ARGS` as it comes.
///
/// Fails as `read` does, when docker fails, and after ten minutes.
pub(crate) fn save<T>(
    exec: &Exec,
    args: &[&str],
    read: impl FnOnce(&mut dyn Read) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let save: Vec<&str> = std::iter::once("save")
        .chain(args.iter().copied())
        .collect();
    exec.stream(DOCKER, &save, SAVE, read)
}
