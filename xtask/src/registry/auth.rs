//! Answers a registry's 401 with a token, or with the credentials that docker keeps.

use std::sync::PoisonError;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http::header::AUTHORIZATION;

use super::credentials::{self, Credential};
use super::{Access, Registry, is_loopback};

/// A token server's answer. Both names mean the same; some registries give both.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Registry {
    /// The `Authorization` header for `challenge`; none when it asks for credentials and docker has
    /// none.
    pub(super) fn authorize(&self, challenge: &str) -> anyhow::Result<Option<String>> {
        let (scheme, parameters) = challenge.split_once(' ').unwrap_or((challenge, ""));
        let credential = self.credential()?;
        if let Some(Credential::RegistryToken(token)) = credential {
            return Ok(Some(format!("Bearer {token}")));
        }
        if scheme.eq_ignore_ascii_case("basic") {
            return Ok(credential.as_ref().and_then(basic));
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            bail!(
                "`{}` asks for `{scheme}` authorization, which is unknown; hint: check the \
                 repository's name and the proxy settings",
                self.base
            );
        }
        let realm = parameter(parameters, "realm")
            .with_context(|| format!("`{}` does not say where it gives tokens", self.base))?;
        let host = realm.split('/').nth(2).unwrap_or_default();
        ensure!(
            realm.starts_with("https://") || is_loopback(host),
            "`{}` asks for credentials over plain HTTP (`{realm}`); hint: ask its owner for HTTPS",
            self.base
        );
        let token = self.token(&realm, parameters, credential.as_ref())?;
        Ok(Some(format!("Bearer {token}")))
    }

    fn token(
        &self,
        realm: &str,
        parameters: &str,
        credential: Option<&Credential>,
    ) -> anyhow::Result<String> {
        let (actions, to) = match self.access {
            Access::Pull => ("pull", "read"),
            Access::Push => ("pull,push", "push to"),
            Access::Delete => ("pull,delete", "delete from"),
        };
        let mut query = vec![(
            "scope",
            format!("repository:{}:{actions}", self.repository.path()),
        )];
        // To mount blobs from there.
        query.extend(self.copied_from.as_ref().map(|from| {
            let scope = format!("repository:{}:pull", from.path());
            ("scope", scope)
        }));
        query.extend(parameter(parameters, "service").map(|service| ("service", service)));
        let what = format!("a token from {realm}");
        let mut answer = self.with_retry(&what, || {
            if let Some(Credential::IdentityToken(token)) = credential {
                let grant = [
                    ("grant_type", "refresh_token"),
                    ("client_id", "agentgate-xtask"),
                    ("refresh_token", token),
                ];
                let form = query.iter().map(|(name, value)| (*name, value.as_str()));
                return self.agent.post(realm).send_form(form.chain(grant));
            }
            let mut request = self.agent.get(realm).query_pairs(query.clone());
            if let Some(basic) = credential.and_then(basic) {
                request = request.header(AUTHORIZATION, basic);
            }
            request.call()
        })?;
        let status = answer.status();
        ensure!(
            status.is_success(),
            "`{realm}` gives no token to {to} `{}` ({status}); hint: `docker login {}`",
            self.repository,
            self.repository.registry()
        );
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        serde_json::from_str::<Token>(&text)
            .ok()
            .and_then(|answer| answer.token.or(answer.access_token))
            .with_context(|| format!("`{realm}` answers without a token"))
    }

    fn credential(&self) -> anyhow::Result<Option<Credential>> {
        let exec = self.exec.lock().unwrap_or_else(PoisonError::into_inner);
        credentials::find(&exec, self.repository.registry())
    }
}

fn basic(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Basic { user, password } => Some(format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        )),
        _ => None,
    }
}

/// One parameter of a challenge such as `realm="https://…",service="…"`.
fn parameter(parameters: &str, name: &str) -> Option<String> {
    let mut rest = parameters;
    while let Some((key, value)) = rest.split_once('=') {
        let (value, after) = match value.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => value.split_once(',').unwrap_or((value, "")),
        };
        if key.trim_matches([' ', ',']).eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::parameter;

    #[test]
    fn parameters_of_a_challenge() {
        let text = r#"realm="https://auth.example.org/token?a=b",service=plain, scope="pull,push""#;
        for (name, value) in [
            ("realm", Some("https://auth.example.org/token?a=b")),
            ("Service", Some("plain")),
            ("scope", Some("pull,push")),
            ("error", None),
        ] {
            assert_eq!(parameter(text, name).as_deref(), value, "{name}");
        }
        assert_eq!(parameter("realm=\"open", "realm"), None);
    }
}
