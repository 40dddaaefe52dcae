//! Running the `docker` client: no other file starts it.

use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::process::Output;
use std::time::Duration;

use crate::exec::dialled::Dialled;
use crate::exec::{self, Ended, Exec};

const DOCKER: &str = "docker";

/// `docker ARGS` as it can be pasted into a shell.
pub fn quoted(args: &[impl AsRef<str>]) -> String {
    exec::quoted(DOCKER, args)
}

/// Shows `docker ARGS`, when commands are to be shown, in place of a request that does the same.
pub fn echo(exec: &Exec, args: &[impl AsRef<str>]) {
    exec.echo(&quoted(args));
}

/// See [`Exec::dial`].
pub(super) fn dial(exec: &Exec, args: &[&str]) -> io::Result<(UnixStream, Dialled)> {
    exec.dial(DOCKER, args)
}

/// Whether there is a client on PATH.
pub fn is_installed(exec: &Exec) -> bool {
    exec.find(DOCKER).is_some()
}

/// See [`Exec::output`].
pub fn output(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<Output> {
    exec.output(DOCKER, args)
}

/// See [`Exec::read`].
pub(super) fn read(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<String> {
    exec.read(DOCKER, args)
}

/// See [`Exec::watch`].
pub fn watch(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
    exec.watch(DOCKER, args)
}

/// See [`Exec::watch_stdout`].
pub fn watch_stdout(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
    exec.watch_stdout(DOCKER, args)
}

/// See [`Exec::watch_tied`].
pub(crate) fn watch_tied(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
    exec.watch_tied(DOCKER, args)
}

/// See [`Exec::within`].
pub fn within(exec: &Exec, args: &[impl AsRef<str>], limit: Duration) -> anyhow::Result<Ended> {
    exec.within(DOCKER, args, limit)
}

/// See [`Exec::typed`].
pub fn typed(
    exec: &Exec,
    args: &[impl AsRef<str>],
    input: &str,
    limit: Duration,
) -> anyhow::Result<Ended> {
    exec.typed(DOCKER, args, input, limit)
}

/// See [`Exec::clean_up`].
pub fn clean_up(exec: &Exec, args: &[impl AsRef<str>]) -> anyhow::Result<()> {
    exec.clean_up(DOCKER, args)
}

/// See [`Exec::stream`].
pub(super) fn stream<T>(
    exec: &Exec,
    args: &[impl AsRef<str>],
    limit: Duration,
    read: impl FnOnce(&mut dyn Read) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    exec.stream(DOCKER, args, limit, read)
}
