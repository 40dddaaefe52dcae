//! Finds the certificates that build steps trust on a network that inspects TLS.

use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::exec::Exec;

/// The bundle asked for, or else the environment's. The first must exist; the environment's is
/// ignored, with a note, when it does not.
pub fn find(exec: &Exec, asked: Option<&Path>) -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = asked {
        ensure!(
            path.is_file(),
            "the CA bundle `{}` (`--ca-bundle`) is not a file; hint: name one with certificates (PEM)",
            path.display()
        );
        return Ok(Some(std::path::absolute(path)?));
    }
    for name in ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] {
        let Some(path) = exec.var(name).map(PathBuf::from) else {
            continue;
        };
        if path.is_file() {
            return Ok(Some(std::path::absolute(path)?));
        }
        crate::say::errln!(
            "note: {name} names `{}`, which is not a file; it is ignored",
            path.display()
        );
    }
    Ok(None)
}
