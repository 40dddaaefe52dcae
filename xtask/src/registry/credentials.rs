//! The credentials for a registry, found where docker's own client finds them.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::PathBuf;

use anyhow::Context as _;
use docker_credential::{CredentialRetrievalError, DockerCredential};

use crate::exec::Exec;

/// What docker keeps for a registry.
pub(super) enum Credential {
    Basic {
        user: String,
        password: String,
    },
    IdentityToken(String),
    #[expect(dead_code, reason = "the next version of this file makes it")]
    RegistryToken(String),
}

/// The credential for `server`, a registry's name as `docker login` takes it; none when docker has
/// none.
pub(super) fn find(exec: &Exec, server: &str) -> anyhow::Result<Option<Credential>> {
    let folder = exec.var("DOCKER_CONFIG").map(PathBuf::from);
    let home = || Some(PathBuf::from(exec.var("HOME")?).join(".docker"));
    let Some(folder) = folder.or_else(home) else {
        return Ok(None);
    };
    let path = folder.join("config.json");
    let file = match File::open(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        result => result.with_context(|| format!("failed to open `{}`", path.display()))?,
    };
    // Docker Hub's entry still has its name of 2014.
    let key = match server {
        "docker.io" | "index.docker.io" => "https://index.docker.io/v1/",
        server => server,
    };
    match docker_credential::get_credential_from_reader(BufReader::new(file), key) {
        Ok(DockerCredential::UsernamePassword(user, password)) => {
            Ok(Some(Credential::Basic { user, password }))
        }
        Ok(DockerCredential::IdentityToken(token)) => Ok(Some(Credential::IdentityToken(token))),
        Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(None),
        // So a helper says that it has none.
        Err(CredentialRetrievalError::HelperFailure { stdout, .. })
            if stdout.contains("credentials not found") =>
        {
            Ok(None)
        }
        Err(error) => Err(error).with_context(|| {
            format!(
                "failed to read the credentials for `{server}` (`{}`); hint: `docker login {server}`",
                path.display()
            )
        }),
    }
}
