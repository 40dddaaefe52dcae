//! Where the engine listens that docker's client would ask.

use std::path::PathBuf;
use std::time::Duration;

use crate::docker::run;
use crate::exec::Exec;

/// How long docker's client may take to say where its context leads.
const LIMIT: Duration = Duration::from_secs(30);

/// How a connection to the engine is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// By a socket on this machine.
    Socket(PathBuf),
    /// By docker's client, which knows of ssh, TLS and pipes: `docker system dial-stdio`.
    Client,
}

/// Asks docker's client: `DOCKER_HOST`, `DOCKER_CONTEXT` and the context that is in use decide, in its order.
///
/// Fails when docker cannot be started, and after a signal of ours.
pub(super) fn find(exec: &Exec) -> anyhow::Result<Endpoint> {
    let format = "{{.Endpoints.docker.Host}}";
    let said = run::within(exec, &["context", "inspect", "--format", format], LIMIT)?;
    if !said.success() {
        // A client that knows no contexts may still know the way.
        return Ok(Endpoint::Client);
    }
    Ok(endpoint(&String::from_utf8_lossy(&said.stdout)))
}

fn endpoint(host: &str) -> Endpoint {
    let socket = host.trim().strip_prefix("unix://").map(PathBuf::from);
    match socket.filter(|socket| socket.is_absolute()) {
        Some(socket) => Endpoint::Socket(socket),
        None => Endpoint::Client,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_asked_itself_and_the_rest_through_the_client() {
        let socket = |path: &str| Endpoint::Socket(PathBuf::from(path));
        for (host, expected) in [
            (
                "unix:///var/run/docker.sock\n",
                socket("/var/run/docker.sock"),
            ),
            // Rootless Docker, Colima, Podman.
            (
                "unix:///run/user/1000/podman/podman.sock",
                socket("/run/user/1000/podman/podman.sock"),
            ),
            ("ssh://me@host", Endpoint::Client),
            ("tcp://10.0.0.1:2376", Endpoint::Client),
            ("npipe:////./pipe/docker_engine", Endpoint::Client),
            ("unix://docker.sock", Endpoint::Client),
            ("", Endpoint::Client),
        ] {
            assert_eq!(endpoint(host), expected, "{host}");
        }
    }
}
