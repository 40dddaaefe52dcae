//! Answers a registry's challenge with a token, or with what docker keeps.

use std::sync::PoisonError;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ureq::http::{Method, StatusCode};
use url::{Url, form_urlencoded};

use super::Transport;
use super::message::{Answer, Body, Request};
use crate::printable::short;
use crate::registry::address;
use crate::registry::answer::Access;
use crate::registry::challenge::{Asks, Challenge};
use crate::registry::credentials::{self, Credential};
use crate::registry::token::{Scopes, Token};
use crate::registry::wire::Time;

/// The longest answer of a token server, in bytes.
const LONGEST: u64 = 1 << 20;
/// What token servers know us as.
const CLIENT: &str = "agentgate-xtask";

impl Transport {
    /// The `Authorization` header for a request's first try: what the registry asked for before.
    pub(super) fn known_authorization(&self, request: &Request) -> anyhow::Result<Option<String>> {
        let challenge = self.authorization.state().challenge.clone();
        match challenge {
            Some(challenge) => self.answer(&challenge, request, &request.scopes),
            None => Ok(None),
        }
    }

    /// What an answer asks for; none when it asks for nothing.
    ///
    /// Fails when the registry asks for nothing that we know.
    pub(super) fn challenge(
        &self,
        request: &Request,
        answer: &Answer,
        is_used: bool,
    ) -> anyhow::Result<Option<Challenge>> {
        // Who was led elsewhere gets no credentials there.
        if !address::is_same_origin(&answer.url, &request.url) {
            return Ok(None);
        }
        let is_hidden = !is_used && is_hiding(answer.status, request.access);
        let is_asking = match answer.status {
            StatusCode::UNAUTHORIZED => true,
            // As RFC 6750 has it; IBM's registry does so (devcontainers/cli#945).
            StatusCode::FORBIDDEN => Asks::is_insufficient(answer.challenges()),
            _ => false,
        };
        if !is_asking {
            return Ok(is_hidden.then(|| self.greeting(request)).flatten());
        }
        match Asks::of(answer.challenges()) {
            Asks::For(challenge) => Ok(Some(challenge)),
            // Google's refuses some tokens without a word (regclient/regclient#149).
            Asks::Nothing if is_used => Ok(self.authorization.state().challenge.clone()),
            Asks::Nothing => Ok(self.greeting(request)),
            Asks::Unknown(schemes) => bail!(
                "`{}` asks for `{}` authorization, which is unknown; hint: check the repository's \
                 name and the proxy settings",
                address::origin(&answer.url),
                short(&schemes.join(", "))
            ),
        }
    }

    /// What the registry asks for at its root, where docker asks first; none when docker has no
    /// credentials for it. Asks once.
    ///
    /// A registry that lets anybody read may hide what it shows to a user: with a 403, or as absent.
    fn greeting(&self, request: &Request) -> Option<Challenge> {
        // Whoever comes second waits for the first to know.
        let found = self.authorization.greeting.get_or_init(|| {
            // What is wrong with docker's configuration matters where the registry asks.
            self.credential().ok().flatten()?;
            let mut url = request.url.clone();
            url.set_path("/v2/");
            url.set_query(None);
            let root = Request {
                method: Method::GET,
                url,
                what: request.what,
                scopes: Scopes::default(),
                access: request.access,
                accept: "application/json, */*",
                content_type: None,
                body: Body::None,
                time: Time::Answer,
                stays: false,
            };
            let answer = self.pass(&root, None).ok()?;
            let is_asking = answer.status == StatusCode::UNAUTHORIZED
                && address::is_same_origin(&answer.url, &root.url);
            match Asks::of(answer.challenges()) {
                Asks::For(challenge) if is_asking => Some(challenge),
                _ => None,
            }
        });
        found.clone()
    }

    /// The `Authorization` header that answers a challenge, after `refused` did not; none when it asks
    /// for credentials and docker has none.
    pub(super) fn authorize(
        &self,
        challenge: &Challenge,
        request: &Request,
        refused: Option<&str>,
    ) -> anyhow::Result<Option<String>> {
        let scopes = {
            let mut state = self.authorization.state();
            if let Some(token) = refused.and_then(|header| header.strip_prefix("Bearer ")) {
                state.tokens.forget(token);
            }
            state.challenge = Some(challenge.clone());
            match challenge {
                Challenge::Bearer { scope, .. } => request.scopes.clone().and_asked(scope),
                Challenge::Basic => request.scopes.clone(),
            }
        };
        self.answer(challenge, request, &scopes)
    }

    fn answer(
        &self,
        challenge: &Challenge,
        request: &Request,
        scopes: &Scopes,
    ) -> anyhow::Result<Option<String>> {
        let credential = self.credential()?;
        if let Some(Credential::RegistryToken(token)) = credential {
            return Ok(Some(format!("Bearer {token}")));
        }
        let Challenge::Bearer { realm, service, .. } = challenge else {
            return Ok(credential.and_then(basic));
        };
        let state = &self.authorization;
        let _one = state
            .fetching
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(token) = state.state().tokens.find(scopes, Instant::now()) {
            return Ok(Some(format!("Bearer {token}")));
        }
        let token = self.token(realm, service.as_deref(), request, scopes)?;
        let header = format!("Bearer {}", token.text);
        state
            .state()
            .tokens
            .keep(scopes.clone(), token, Instant::now());
        Ok(Some(header))
    }

    /// A token from the registry's token server.
    fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        request: &Request,
        scopes: &Scopes,
    ) -> anyhow::Result<Token> {
        let mut url = token_server(&request.url, realm)?;
        let place = format!("{}{}", address::origin(&url), url.path());
        let credential = self.credential()?;
        let form = match credential {
            Some(Credential::IdentityToken(token)) => Some(grant(token, service, scopes)),
            Some(Credential::Basic { user, .. }) => {
                ask(&mut url, service, scopes, Some(user));
                None
            }
            Some(Credential::RegistryToken(_)) | None => {
                ask(&mut url, service, scopes, None);
                None
            }
        };
        let form = form.as_ref();
        let mut answer = self.pass(
            &Request {
                method: form.map_or(Method::GET, |_| Method::POST),
                url,
                what: &format!("a token from {place}"),
                scopes: Scopes::default(),
                access: request.access,
                accept: "application/json, */*",
                content_type: Some("application/x-www-form-urlencoded"),
                body: form.map_or(Body::None, |form| Body::Bytes(form.as_bytes())),
                time: Time::Answer,
                stays: form.is_some(),
            },
            credential.and_then(basic).as_deref(),
        )?;
        let to = format!("to {} `{}`", request.access.verb(), self.repository());
        let registry = self.repository().registry();
        if !answer.status.is_success() {
            let (status, said) = (answer.status, answer.said());
            bail!(
                "`{place}` gives no token {to} ({status}){said}; hint: `docker login {registry}`"
            );
        }
        let text = answer.read(LONGEST).unwrap_or_default();
        Token::parse(&text).with_context(|| {
            format!(
                "`{place}` answers without a token {to}; hint: `docker login {registry}`, or ask the \
                 registry's operator"
            )
        })
    }

    /// What `docker login` left for this registry.
    fn credential(&self) -> anyhow::Result<Option<&Credential>> {
        let state = &self.authorization;
        if let Some(credential) = state.credential.get() {
            return Ok(credential.as_ref());
        }
        let found = {
            let exec = state.exec.lock().unwrap_or_else(PoisonError::into_inner);
            // While a helper was asked, another thread may have found it.
            if let Some(credential) = state.credential.get() {
                return Ok(credential.as_ref());
            }
            let repository = self.repository();
            let server = if repository.is_on_docker_hub() {
                "docker.io"
            } else {
                repository.registry()
            };
            credentials::find(&exec, server)?
        };
        Ok(state.credential.get_or_init(|| found).as_ref())
    }
}

/// The address of the token server. It may be another host's: Docker Hub's is. Whom it may be,
/// docker leaves to the registry, and so do we, over TLS or within this machine.
fn token_server(registry: &Url, realm: &str) -> anyhow::Result<Url> {
    let by = address::origin(registry);
    let shown = short(realm);
    if address::parse(realm).is_ok_and(|url| !address::is_private(&url)) {
        bail!(
            "`{by}` asks for credentials over plain HTTP (`{shown}`); hint: ask its owner for \
             HTTPS"
        );
    }
    address::follow(registry, realm).map_err(|why| {
        anyhow!(
            "`{by}` gives tokens at `{shown}`, which is refused: {why}; hint: ask the \
             registry's operator"
        )
    })
}

/// Whether who asks without credentials may be told so of what only users see. Of who writes, the first write
/// asks for them.
fn is_hiding(status: StatusCode, access: Access) -> bool {
    status == StatusCode::FORBIDDEN || (status == StatusCode::NOT_FOUND && access == Access::Pull)
}

fn basic(credential: &Credential) -> Option<String> {
    match credential {
        Credential::Basic { user, password } => Some(format!(
            "Basic {}",
            STANDARD.encode(format!("{user}:{password}"))
        )),
        Credential::IdentityToken(_) | Credential::RegistryToken(_) => None,
    }
}

/// Adds to a token server's address what the token must permit.
fn ask(url: &mut Url, service: Option<&str>, scopes: &Scopes, user: Option<&str>) {
    let mut query = url.query_pairs_mut();
    for scope in scopes.list() {
        query.append_pair("scope", &scope);
    }
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    if let Some(user) = user {
        query.append_pair("account", user);
    }
}

/// The form that asks for a token with an identity token.
fn grant(token: &str, service: Option<&str>, scopes: &Scopes) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("client_id", CLIENT);
    form.append_pair("refresh_token", token);
    form.append_pair("scope", &scopes.to_string());
    if let Some(service) = service {
        form.append_pair("service", service);
    }
    form.finish()
}
