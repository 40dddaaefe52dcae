//! This program as `buildkitd` and `buildctl`, which buildx starts in the image that stands in for BuildKit's.
//! The BuildKit behind them is dockerd's.

use std::{
    env,
    fs::File,
    io::{self, Write as _},
    net::Shutdown,
    os::{fd::AsFd as _, unix::net::UnixStream},
    path::Path,
    thread,
};

use anyhow::{Context as _, Result, bail};

use crate::{exec::Cmd, http, layout::remove_dir};

/// The run-time files of the container's dockerd.
const RUN: &str = "/run/buildkit";
const SOCKET: &str = "/run/buildkit/docker.sock";

/// The request that turns a connection to dockerd into one to its BuildKit.
const UPGRADE: &str =
    "POST /grpc HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";

/// Runs the program by whose name this one was started; `None` for its own name.
pub(crate) fn run() -> Option<Result<()>> {
    let mut args = env::args_os();
    let name = args.next()?;
    match Path::new(&name).file_name()?.to_str()? {
        "buildkitd" => Some(serve()),
        "buildctl" if args.next()? == "dial-stdio" => Some(dial_stdio()),
        // `debug workers`: buildx waits until this succeeds.
        "buildctl" => Some(http::get_unix(Path::new(SOCKET), "/_ping").map(drop)),
        _ => None,
    }
}

/// Becomes dockerd. The arguments are flags of BuildKit, which dockerd does not have: they are ignored.
fn serve() -> Result<()> {
    // A killed dockerd leaves its pid file behind, and the new one may have the same pid.
    remove_dir(Path::new(RUN))?;
    let pid_file = format!("--pidfile={RUN}/docker.pid");
    let command = Cmd::new("dockerd").args([
        // The volume that buildx has for BuildKit's state.
        "--data-root=/var/lib/buildkit",
        "--exec-root=/run/buildkit/exec",
        &pid_file,
        &format!("--host=unix://{SOCKET}"),
        "--feature=containerd-snapshotter=true",
        // The network may be the machine's own, which must not change.
        "--bridge=none",
        "--iptables=false",
        "--ip6tables=false",
        "--userland-proxy=false",
    ]);
    Err(command.replace())
}

/// Connects stdin and stdout to BuildKit.
fn dial_stdio() -> Result<()> {
    let engine = || -> Result<UnixStream> {
        let mut engine = UnixStream::connect(SOCKET)?;
        engine.write_all(UPGRADE.as_bytes())?;
        let head = read_head(&engine)?;
        if !head.starts_with("HTTP/1.1 101 ") {
            bail!("the answer is `{}`", head.trim());
        }
        Ok(engine)
    };
    let engine = engine().with_context(|| format!("failed to reach BuildKit at `{SOCKET}`"))?;
    let to = engine.try_clone()?;
    thread::spawn(move || {
        let _ = pass_on(io::stdin(), &to);
        to.shutdown(Shutdown::Write)
    });
    // The standard library's own stdout would wait for ends of lines.
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    Ok(pass_on(&engine, stdout)?)
}

/// Not [`io::copy`]: that uses splice, which blocks a pipe's reader while it waits for more.
fn pass_on(mut from: impl io::Read, mut to: impl io::Write) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        let count = from.read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..count])?;
    }
}

/// The head of an answer, byte by byte: what follows it is not ours.
fn read_head(mut stream: impl io::Read) -> io::Result<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_ends_where_the_rest_begins() {
        let mut answer = &b"HTTP/1.1 101 UPGRADED\r\nUpgrade: h2c\r\n\r\nPRI"[..];
        let head = read_head(&mut answer).unwrap();
        assert_eq!(head, "HTTP/1.1 101 UPGRADED\r\nUpgrade: h2c\r\n\r\n");
        assert_eq!(answer, b"PRI");
        assert!(read_head(&b"HTTP/1.1 101"[..]).is_err());
    }

    #[test]
    fn this_program_by_its_own_name_is_the_test_bed() {
        assert!(run().is_none());
    }
}
