//! A client of image registries: reads tags, manifests and blobs, and uploads them.
//!
//! A tag is absent only if the registry itself says so. A registry that is busy, broken, out of
//! reach or that asks for credentials is an error.

mod auth;
mod content;
mod credentials;
pub(crate) mod delete;
mod proxy;
#[cfg(test)]
mod tests;
pub(crate) mod upload;

use std::io::ErrorKind;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use serde::Deserialize;
use ureq::http::header::{ACCEPT, AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use ureq::http::{Response, StatusCode};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::typestate::WithoutBody;
use ureq::{Agent, Body, RequestBuilder};
use url::Url;

use crate::exec::{self, Exec};
use crate::oci::Digest;
use crate::reference::{self, Repository};
use crate::retry::{Retry, Transient};

type Answer = Response<Body>;
type Request = RequestBuilder<WithoutBody>;

/// What a tag may point to: an index or one manifest, in OCI's words and in Docker's.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.docker.distribution.manifest.v2+json";
/// How long to wait for an answer.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What a token is asked for. Some registries refuse a token for more than the account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Pull,
    Push,
    Delete,
}

/// One repository in its registry; threads may share it.
pub struct Registry {
    agent: Agent,
    repository: Repository,
    access: Access,
    /// A repository of the same registry, from which blobs can be mounted.
    copied_from: Option<Repository>,
    retry: Retry,
    /// Where the registry is, without a slash at the end.
    base: String,
    /// The repository's name for other programs.
    place: String,
    /// To find the credentials with, which may start a program.
    exec: Mutex<Exec>,
    /// Why the proxy cannot be used.
    bad_proxy: Option<String>,
    /// The `Authorization` header that the registry accepted last.
    authorization: Mutex<Option<String>>,
}

impl Registry {
    /// The registry of `repository`, to read from. On the test bed its registry stands for Docker Hub.
    pub fn new(exec: &Exec, repository: &Repository) -> Registry {
        Registry::with(exec, repository, Access::Pull)
    }

    /// [`Registry::new`] with the permission to push.
    pub(crate) fn to_push(exec: &Exec, repository: &Repository) -> Registry {
        Registry::with(exec, repository, Access::Push)
    }

    /// [`Registry::new`] with the permission to delete, and without the one to push.
    pub(crate) fn to_delete(exec: &Exec, repository: &Repository) -> Registry {
        Registry::with(exec, repository, Access::Delete)
    }

    /// [`Registry::to_push`] that sends each request once: the caller observes anew before it tries
    /// again what failed with [`Transient`]. Waits no longer than `limit` for an answer.
    pub(crate) fn to_release(exec: &Exec, repository: &Repository, limit: Duration) -> Registry {
        Registry {
            retry: Retry::NEVER,
            ..Registry::within(exec, repository, Access::Push, limit)
        }
    }

    /// The same registry, which mounts blobs from `from` if that is in the same registry.
    pub(crate) fn copying(self, from: &Repository) -> Registry {
        let is_near = from.registry_host() == self.repository.registry_host();
        let is_near = is_near && *from != self.repository;
        Registry {
            copied_from: is_near.then(|| from.clone()),
            ..self
        }
    }

    fn with(exec: &Exec, repository: &Repository, access: Access) -> Registry {
        Registry::within(exec, repository, access, LIMIT)
    }

    fn within(exec: &Exec, repository: &Repository, access: Access, limit: Duration) -> Registry {
        let stand_in = exec
            .var("TESTBED_REGISTRY")
            .filter(|_| repository.is_on_docker_hub());
        let place = match &stand_in {
            Some(host) => format!("{host}/{}", repository.path()),
            None => repository.to_string(),
        };
        let host = stand_in.unwrap_or_else(|| repository.registry_host().to_owned());
        // As docker does: only a registry on this machine may do without TLS.
        let scheme = if is_loopback(&host) { "http" } else { "https" };
        let base = format!("{scheme}://{host}");
        let url = Url::parse(&base).map_err(anyhow::Error::new);
        let (proxy, bad_proxy) = match url.and_then(|url| proxy::for_address(exec, &url)) {
            Ok(proxy) => (proxy, None),
            Err(why) => (None, Some(format!("{why:#}"))),
        };
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier);
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .tls_config(tls.build())
            .proxy(proxy)
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(limit))
            .user_agent("agentgate-xtask");
        Registry {
            agent: config.build().new_agent(),
            repository: repository.clone(),
            access,
            copied_from: None,
            retry: Retry::BRIEFLY,
            base,
            place,
            exec: Mutex::new(exec.clone()),
            bad_proxy,
            authorization: Mutex::new(None),
        }
    }

    /// The repository's name for other programs: on the test bed, in the test bed's registry.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// The digest of `tag`, as the registry's header gives it; none when the registry says that it
    /// has no such tag.
    pub(crate) fn digest(&self, tag: &str) -> anyhow::Result<Option<Digest>> {
        let reference = self.repository.reference(tag);
        let url = self.url(&format!("manifests/{tag}"));
        // Docker Hub counts a GET as a pull, and a HEAD not.
        let answer = self.ask(|| self.agent.head(&url), &reference)?;
        let named = |answer: &Answer| {
            let digest = answer.headers().get("docker-content-digest");
            let digest = digest.and_then(|value| value.to_str().ok());
            let digest = digest.with_context(|| {
                format!("`{}` answers for `{reference}` without a digest", self.base)
            })?;
            let digest = digest.parse().map_err(anyhow::Error::msg);
            digest.map(Some).with_context(|| {
                format!(
                    "`{}` answers for `{reference}` in an unknown form",
                    self.base
                )
            })
        };
        match answer.status() {
            StatusCode::OK => named(&answer),
            // A proxy may answer 404, too. Only the text tells, and the answer to a HEAD has none.
            StatusCode::NOT_FOUND => {
                let mut answer = self.ask(|| self.agent.get(&url), &reference)?;
                if let (StatusCode::OK, Ok(digest)) = (answer.status(), named(&answer)) {
                    // It was pushed meanwhile.
                    return Ok(digest);
                }
                let text = answer.body_mut().read_to_string().unwrap_or_default();
                if answer.status() == StatusCode::NOT_FOUND && says_absent(&text) {
                    return Ok(None);
                }
                Err(self.unknown_answer(answer.status(), &reference))
            }
            status => Err(self.refused(status, &reference)),
        }
    }

    /// Sends a request for a manifest; once more with credentials when the registry asks for them.
    fn ask(&self, request: impl Fn() -> Request, reference: &str) -> anyhow::Result<Answer> {
        self.send(reference, |authorization| {
            let request = request().header(ACCEPT, MANIFESTS);
            match authorization {
                Some(authorization) => request.header(AUTHORIZATION, authorization).call(),
                None => request.call(),
            }
        })
    }

    /// Sends a request of any kind. `request` gets the `Authorization` header. Sends it once more
    /// with credentials when the registry asks for them.
    fn send(
        &self,
        what: &str,
        request: impl Fn(Option<&str>) -> Result<Answer, ureq::Error>,
    ) -> anyhow::Result<Answer> {
        let used = self.authorization();
        let answer = self.with_retry(what, || request(used.as_deref()))?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return Ok(answer);
        }
        let challenge = answer.headers().get(WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|value| value.to_str().ok());
        let authorization = self.authorize(challenge.unwrap_or_default())?;
        self.locked_authorization().clone_from(&authorization);
        self.with_retry(what, || request(authorization.as_deref()))
    }

    fn authorization(&self) -> Option<String> {
        self.locked_authorization().clone()
    }

    fn locked_authorization(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        let locked = self.authorization.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends, and again after a while when the other side is busy or the connection broke.
    ///
    /// Fails with [`Transient`] where a later try may do better.
    fn with_retry(
        &self,
        what: &str,
        send: impl Fn() -> Result<Answer, ureq::Error>,
    ) -> anyhow::Result<Answer> {
        if let Some(why) = &self.bad_proxy {
            bail!("{why}");
        }
        let failed = format!("failed to ask `{}` for `{what}`", self.base);
        self.retry.run(|| {
            exec::check()?;
            let result = send();
            exec::check()?;
            match result {
                Ok(answer) if is_busy(answer.status()) => {
                    let status = answer.status();
                    let text =
                        format!("{failed}: it is busy or broken ({status}); hint: try again later");
                    Err(Transient::new(text).asking(retry_after(&answer)).into())
                }
                Ok(answer) => Ok(answer),
                Err(error) => {
                    let text = format!("{failed}; hint: check the network and try again");
                    Err(if is_transient(&error) {
                        Transient::new(text).caused_by(error).into()
                    } else {
                        anyhow::Error::new(error).context(text)
                    })
                }
            }
        })
    }

    /// A 404 without a registry's text: it may come from anything on the way.
    fn unknown_answer(&self, status: StatusCode, what: &str) -> anyhow::Error {
        anyhow!(
            "`{}` does not answer as an image registry does ({status}) when asked for `{what}`; \
             hint: check the repository's name and the proxy settings",
            self.base
        )
    }

    /// The error for an answer that is neither the thing nor its absence.
    fn refused(&self, status: StatusCode, reference: &str) -> anyhow::Error {
        let registry = self.repository.registry();
        match (status, self.access) {
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Access::Push) => anyhow!(
                "`{}` does not let us push `{reference}` ({status}); hint: `docker login \
                 {registry}` with an account that may push to it, or `--repository` names another",
                self.base
            ),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Access::Delete) => anyhow!(
                "`{}` does not let us delete `{reference}` ({status}); some registries answer so \
                 while a tag or an index leads to it; hint: `docker login {registry}` with an \
                 account that may delete, and see docs/prune.md",
                self.base
            ),
            (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, Access::Pull) => anyhow!(
                "`{}` does not let us read `{reference}` ({status}); some registries answer so \
                 for a repository that they do not have; hint: `docker login {registry}`",
                self.base
            ),
            _ => anyhow!(
                "`{}` answers {status} when asked for `{reference}`; hint: try again, or check \
                 the repository's name",
                self.base
            ),
        }
    }
}

fn is_loopback(host: &str) -> bool {
    let (name, _port) = reference::split_port(host);
    let ip = reference::ipv6(name).map(IpAddr::V6);
    name == "localhost"
        || ip
            .or_else(|| name.parse().ok())
            .is_some_and(|ip| ip.is_loopback())
}

fn is_busy(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

/// Whether another try may do better. Where nobody listens it will not.
fn is_transient(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => matches!(
            error.kind(),
            ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
                | ErrorKind::TimedOut
        ),
        ureq::Error::Timeout(_) | ureq::Error::Protocol(_) => true,
        _ => false,
    }
}

/// The seconds that the registry asks to wait.
fn retry_after(answer: &Answer) -> Option<u64> {
    let seconds = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    seconds.parse().ok()
}

/// Whether a registry's error document says that the tag, blob or repository is absent.
fn says_absent(text: &str) -> bool {
    let absent = [
        "MANIFEST_UNKNOWN",
        "BLOB_UNKNOWN",
        "NAME_UNKNOWN",
        "NOT_FOUND",
    ];
    says_one_of(text, &absent)
}

/// Whether a registry's error document has one of the codes.
fn says_one_of(text: &str, codes: &[&str]) -> bool {
    #[derive(Deserialize)]
    struct Errors {
        errors: Vec<Error>,
    }
    #[derive(Deserialize)]
    struct Error {
        code: String,
    }
    serde_json::from_str::<Errors>(text).is_ok_and(|said| {
        said.errors
            .iter()
            .any(|error| codes.contains(&&*error.code))
    })
}
