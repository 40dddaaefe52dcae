//! HTTP requests to the engine and the registry: a GET, and the answer's body.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};

const LIMIT: Duration = Duration::from_secs(10);

/// GET `path` from the server on loopback's `port`.
pub(crate) fn get_tcp(port: u16, path: &str) -> Result<String> {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let stream = TcpStream::connect_timeout(&address, LIMIT)
        .with_context(|| format!("failed to connect to `{address}`"))?;
    stream.set_read_timeout(Some(LIMIT))?;
    get(stream, path).with_context(|| format!("failed to get `{path}` from `{address}`"))
}

/// GET `path` from the server on `socket`.
pub(crate) fn get_unix(socket: &Path, path: &str) -> Result<String> {
    let stream = UnixStream::connect(socket)
        .with_context(|| format!("failed to connect to `{}`", socket.display()))?;
    stream.set_read_timeout(Some(LIMIT))?;
    get(stream, path).with_context(|| format!("failed to get `{path}` from `{}`", socket.display()))
}

fn get(mut stream: impl Read + Write, path: &str) -> Result<String> {
    // HTTP/1.0: the body is never chunked and ends with the connection.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer)
}

fn parse(answer: &str) -> Result<String> {
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .context("the answer is cut off")?;
    let first = head.lines().next().unwrap_or_default();
    match first.split(' ').nth(1) {
        Some("200") => Ok(body.to_owned()),
        _ => bail!("the answer is `{first}`: {}", body.trim()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_body_of_a_success_only() {
        assert_eq!(
            parse("HTTP/1.0 200 OK\r\nA: b\r\n\r\nbody\r\n\r\n").unwrap(),
            "body\r\n\r\n"
        );
        for (answer, expected) in [
            (
                "HTTP/1.0 404 Not Found\r\nA: b\r\n\r\nno\n",
                "the answer is `HTTP/1.0 404 Not Found`: no",
            ),
            ("HTTP/1.0 200 OK\r\n", "the answer is cut off"),
            ("", "the answer is cut off"),
        ] {
            assert_eq!(parse(answer).unwrap_err().to_string(), expected);
        }
    }
}
