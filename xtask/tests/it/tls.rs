//! A registry on this machine that speaks TLS: which certificates are taken, and what is said of others.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::common::{Ran, command};
use crate::sandbox::Sandbox;

const ABSENT: &str = r#"{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"#;

/// Makes `NAME.crt` and `NAME.key`; false when there is no openssl.
fn certificate(folder: &Path, name: &str, args: &[&str]) -> bool {
    let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
    let mut openssl = command("openssl", folder);
    openssl.args(["req", "-x509", "-newkey", "ec", "-nodes"]);
    openssl.args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=x"]);
    openssl.args(["-keyout", &key, "-out", &crt]);
    openssl
        .args(args)
        .status()
        .is_ok_and(|status| status.success())
}

/// A registry that has nothing, with a certificate. It listens until the test's process ends.
fn registry(folder: &Path, name: &str) -> SocketAddr {
    let path = |ending: &str| folder.join(format!("{name}.{ending}"));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(
        vec![CertificateDer::from_pem_file(path("crt")).unwrap()],
        PrivateKeyDer::from_pem_file(path("key")).unwrap(),
    );
    let config = Arc::new(config.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &config);
        }
    });
    address
}

/// Answers one request; who does not trust the certificate sends none.
fn answer(stream: TcpStream, config: &Arc<ServerConfig>) -> Option<()> {
    let tls = ServerConnection::new(Arc::clone(config)).ok()?;
    let mut stream = StreamOwned::new(tls, stream);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        request.extend(byte);
    }
    let text = if request.starts_with(b"HEAD") {
        ""
    } else {
        ABSENT
    };
    let length = ABSENT.len();
    let head = format!("HTTP/1.1 404 x\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(format!("{head}{text}").as_bytes()).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()
}

#[test]
fn a_registry_on_this_machine_may_speak_tls() {
    let (folder, sandbox) = (tempfile::tempdir().unwrap(), Sandbox::new());
    let folder = folder.path();
    let ours = ["-days", "2", "-addext", "subjectAltName=IP:127.0.0.1"];
    let others = ["-days", "2", "-addext", "subjectAltName=DNS:example.org"];
    let bare = [&ours[..], &["-addext", "basicConstraints=CA:FALSE"]].concat();
    // As docker's manual makes one, it is a CA's, too.
    if !certificate(folder, "ours", &ours) {
        eprintln!("NOT RUN: a_registry_on_this_machine_may_speak_tls: no openssl");
        return;
    }
    assert!(certificate(folder, "others", &others) && certificate(folder, "bare", &bare));
    for (name, trusted, expected) in [
        ("ours", "ours", "`latest` is absent"),
        ("bare", "bare", "`latest` is absent"),
        (
            "ours",
            "others",
            "its certificate is not trusted; hint: name the file",
        ),
        (
            "bare",
            "ours",
            "its certificate is not trusted; hint: name the file",
        ),
        (
            "others",
            "others",
            "its certificate is for another name; hint: use the name",
        ),
    ] {
        let address = registry(folder, name);
        let mut xtask = sandbox.xtask(&["release", "--status", "--repository"]);
        xtask.env("SSL_CERT_FILE", folder.join(format!("{trusted}.crt")));
        let ran = Ran::of(xtask.arg(format!("{address}/me/agent")));
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(expected), "{name} {trusted}: {ran:#?}");
    }
}
