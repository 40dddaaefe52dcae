//! Where TLS is spoken, and where it need not be.

use super::*;

#[test]
fn only_loopback_does_without_tls() {
    let exec = Exec::new(std::path::Path::new("/"), false).unwrap();
    let base = |name: &str, stand_in: &str| {
        exec.set_var("TESTBED_REGISTRY", stand_in);
        let endpoint = Endpoint::new(&exec, &name.parse().unwrap());
        let url = endpoint.transport().url(&[], "x")?;
        anyhow::Ok(url.origin().ascii_serialization())
    };
    // Where nobody need be asked.
    for (name, want) in [
        ("agentgate/agent", "https://registry-1.docker.io"),
        ("Docker.io/agentgate/agent", "https://registry-1.docker.io"),
        ("GHCR.io:443/me/agent", "https://ghcr.io"),
        ("10.0.0.1:5000/agent", "https://10.0.0.1:5000"),
        (
            "127.0.0.1.example.org/agent",
            "https://127.0.0.1.example.org",
        ),
        (
            "localhost.example.org/agent",
            "https://localhost.example.org",
        ),
        ("[::2]:5000/agent", "https://[::2]:5000"),
    ] {
        assert_eq!(base(name, "").unwrap(), want);
    }
    let (listener, other) = (
        TcpListener::bind("127.0.0.1:0"),
        TcpListener::bind("[::1]:0"),
    );
    let port = listener.as_ref().unwrap().local_addr().unwrap().port();
    let hangs_up =
        |listener: TcpListener| thread::spawn(move || listener.incoming().for_each(drop));
    hangs_up(listener.unwrap());
    for name in ["127.0.0.1", "localhost", "LOCALHOST"] {
        let found = base(&format!("{name}:{port}/agent"), "").unwrap();
        assert_eq!(found, format!("http://{}:{port}", name.to_lowercase()));
    }
    let stand_in = format!("127.0.0.1:{port}");
    let found = base("agentgate/agent", &stand_in).unwrap();
    assert_eq!(found, format!("http://{stand_in}"));
    assert_eq!(
        base("ghcr.io/me/agent", &stand_in).unwrap(),
        "https://ghcr.io"
    );
    // Not every machine has IPv6.
    if let Ok(listener) = other {
        let address = listener.local_addr().unwrap();
        hangs_up(listener);
        let found = base(&format!("{address}/agent"), "").unwrap();
        assert_eq!(found, format!("http://{address}"));
    }
}

#[test]
fn who_speaks_tls_on_this_machine_is_never_asked_without() {
    // What a TLS server answers that agrees to nothing: an alert (`handshake_failure`).
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let two = listener.incoming().flatten().take(2);
        let first = two.map(|mut stream| {
            let mut first = [0];
            stream.read_exact(&mut first).unwrap();
            stream.write_all(&[21, 3, 3, 0, 2, 2, 40]).unwrap();
            first
        });
        first.collect::<Vec<_>>()
    });
    let exec = Exec::new(std::path::Path::new("/"), false).unwrap();
    let repository = format!("{address}/me/agent").parse().unwrap();
    let error = Puller::new(&exec, &repository).digest("v1").unwrap_err();
    let error = format!("{error:#}");
    let expected = format!("failed to ask `https://{address}` for `{address}/me/agent:v1`");
    assert!(error.starts_with(&expected), "{error}");
    assert!(error.contains("alert"), "{error}");
    assert_eq!(server.join().unwrap(), [[0x16], [0x16]]);
}
