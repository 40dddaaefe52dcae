//! TLS for registries of these tests, with a certificate that nobody else trusts.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::http::Answer;
use crate::common::{Ran, command};

/// `openssl` is where `ca-certificates` is, which depends on it; a crate for this would bring five more.
const CONFIG: &str = "[req]\nprompt = no\ndistinguished_name = name\nx509_extensions = more\n\
    [name]\nCN = quirks\n[more]\nbasicConstraints = critical, CA:FALSE\n\
    subjectAltName = IP:127.0.0.1, DNS:*.test, DNS:registry.test, DNS:storage.test, DNS:auth.test, \
    DNS:registry.test.evil.test, DNS:registry-1.docker.io, DNS:index.docker.io, DNS:auth.docker.io\n";

/// The certificate's file.
pub(super) fn certificate() -> PathBuf {
    made().join("certificate.pem")
}

fn made() -> &'static Path {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    MADE.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("quirks-tls");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("config"), CONFIG).unwrap();
        let args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -config config \
                    -keyout key.pem -out certificate.pem";
        Ran::of(command("openssl", &folder).args(args.split_whitespace())).succeeded();
        folder
    })
}

/// A connection under TLS; none when the client refuses the certificate, or does without TLS.
pub(super) fn accept(client: TcpStream) -> Option<StreamOwned<ServerConnection, TcpStream>> {
    let mut client = client;
    let mut first = [0];
    client.peek(&mut first).ok()?;
    if first != [HANDSHAKE] {
        // As Go's server and nginx do.
        let refused = Answer::new("400 Bad Request", b"an HTTP request to an HTTPS server");
        refused.write(&mut client, "GET")?;
        return None;
    }
    let mut connection = ServerConnection::new(config()).ok()?;
    while connection.is_handshaking() {
        connection.complete_io(&mut client).ok()?;
    }
    Some(StreamOwned::new(connection, client))
}

/// How a TLS record begins that begins a connection (RFC 8446 5.1).
const HANDSHAKE: u8 = 22;

fn config() -> Arc<ServerConfig> {
    static CONFIG: OnceLock<Arc<ServerConfig>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        let chain = CertificateDer::pem_file_iter(certificate()).unwrap();
        let chain = chain.collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_file(made().join("key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key);
        Arc::new(config.unwrap())
    });
    Arc::clone(config)
}
