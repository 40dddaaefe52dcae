//! A registry of quirks in front of the real one: it has another origin and a token server beside it, and
//! writes down each request.

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::auth::{Auth, Login, Uses};
use super::http::{Answer, Request};
use super::rule::{self, Names, Progress, Rule};
use super::seen::{Role, Seen};
use super::tls;

/// After more requests than this a client is in a loop.
const MANY: usize = 400;

/// Where the registry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On loopback, without TLS; by this host.
    Plain(&'static str),
    /// On loopback under TLS, with a certificate that the client trusts or not.
    Tls { is_trusted: bool },
    /// Under TLS by a name, which only a proxy knows: the variables name it.
    Named(&'static str),
}

impl Place {
    /// Whether this machine has such a place.
    pub(super) fn is_here(self) -> bool {
        self != Place::Plain("[::1]") || TcpListener::bind("[::1]:0").is_ok()
    }

    /// What the client calls the registry, the other origin and the token server on these ports.
    fn names(self, [registry, other, tokens]: [u16; 3]) -> Names {
        let (host, scheme) = match self {
            Place::Named(name) => {
                return Names {
                    registry: name.to_owned(),
                    other: "storage.test".to_owned(),
                    tokens: "auth.test".to_owned(),
                    scheme: "https",
                };
            }
            Place::Plain(host) => (host, "http"),
            Place::Tls { .. } => ("127.0.0.1", "https"),
        };
        Names {
            registry: format!("{host}:{registry}"),
            other: format!("127.0.0.1:{other}"),
            tokens: format!("127.0.0.1:{tokens}"),
            scheme,
        }
    }
}

pub(super) struct Stand {
    pub(super) names: Names,
    place: Place,
    /// The proxy, where there is one.
    proxy: Option<String>,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: String,
    names: Names,
    auth: Auth,
    rules: &'static [Rule],
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seen: Vec<Seen>,
    progress: Progress,
    uses: Uses,
}

impl Stand {
    /// Listens until the test's process ends.
    pub(super) fn before(
        upstream: &str,
        place: Place,
        auth: Auth,
        rules: &'static [Rule],
    ) -> Stand {
        let first = match place {
            Place::Plain("[::1]") => "[::1]:0",
            _ => "127.0.0.1:0",
        };
        let listeners = [first, "127.0.0.1:0", "127.0.0.1:0"];
        let listeners = listeners.map(|address| TcpListener::bind(address).unwrap());
        let ports = listeners
            .each_ref()
            .map(|one| one.local_addr().unwrap().port());
        let names = place.names(ports);
        let shared = Arc::new(Shared {
            upstream: upstream.to_owned(),
            names: names.clone(),
            auth,
            rules,
            state: Mutex::default(),
        });
        let is_named = matches!(place, Place::Named(_));
        let first = if is_named {
            Role::Proxy
        } else {
            Role::Registry
        };
        for (listener, role) in listeners
            .into_iter()
            .zip([first, Role::Other, Role::Tokens])
        {
            listen(listener, role, names.scheme == "https", &shared);
        }
        Stand {
            names,
            place,
            proxy: is_named.then(|| format!("http://127.0.0.1:{}", ports[0])),
            shared,
        }
    }

    /// The requests so far.
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.shared.state.lock().unwrap().seen.clone()
    }

    /// What reached an origin that it was not meant for; empty when all is well.
    pub(super) fn leaks(&self) -> Vec<String> {
        let seen = self.seen().into_iter();
        let leaks = seen.filter(Seen::is_leak).map(|one| format!("{one:?}"));
        leaks.collect()
    }

    /// Lets `command` see this registry, with the login of `folder`.
    pub(super) fn prepare(&self, command: &mut Command, folder: &Path, login: Login) {
        let config = Login::fill(login.file, &self.names);
        std::fs::write(folder.join("config.json"), config).unwrap();
        command.env("DOCKER_CONFIG", folder);
        for name in ["http_proxy", "https_proxy", "all_proxy", "no_proxy"] {
            command.env_remove(name).env_remove(name.to_uppercase());
        }
        for name in ["DOCKER_AUTH_CONFIG", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
            command.env_remove(name);
        }
        if let Some(variable) = login.variable {
            command.env("DOCKER_AUTH_CONFIG", Login::fill(variable, &self.names));
        }
        if let Some(proxy) = &self.proxy {
            command.env("https_proxy", proxy).env("http_proxy", proxy);
            // Else it stands for Docker Hub.
            command.env_remove("TESTBED_REGISTRY");
        }
        if matches!(
            self.place,
            Place::Named(_) | Place::Tls { is_trusted: true }
        ) {
            command.env("SSL_CERT_FILE", tls::certificate());
        }
    }
}

fn listen(listener: TcpListener, role: Role, is_tls: bool, shared: &Arc<Shared>) {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                client.set_read_timeout(Some(Duration::from_mins(1))).ok()?;
                match role {
                    Role::Proxy => shared.tunnel(client),
                    _ if is_tls => shared.serve(&mut tls::accept(client)?, role),
                    _ => shared.serve(&mut { client }, role),
                }
            });
        }
    });
}

impl Shared {
    /// Serves what a client sends through the proxy to any host; a request in the open is refused.
    fn tunnel(&self, client: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(client.try_clone().ok()?);
        let request = Request::read_head(&mut reader)?;
        let mut client = client;
        if request.method != "CONNECT" {
            self.note(&request, Role::Proxy);
            let refused = Answer::new("502 Bad Gateway", b"only TLS passes");
            return refused.write(&mut client, &request.method);
        }
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
        let host = request.target.trim_end_matches(":443").to_owned();
        let is_own = host.eq_ignore_ascii_case(self.names.registry.trim_end_matches(":443"))
            || ["registry-1.docker.io", "index.docker.io"].contains(&&*host);
        let role = match host.as_str() {
            _ if is_own => Role::Registry,
            host if host.starts_with("auth.") => Role::Tokens,
            _ => Role::Other,
        };
        self.serve(&mut tls::accept(client)?, role)
    }

    fn note(&self, request: &Request, role: Role) -> usize {
        let seen = &mut self.state.lock().unwrap().seen;
        seen.push(Seen {
            role,
            method: request.method.clone(),
            target: request.target.clone(),
            authorization: request.headers.get("authorization").map(str::to_owned),
        });
        seen.len()
    }

    /// Answers one request; a connection that breaks is somebody else's doing.
    fn serve(&self, client: &mut (impl Read + Write), role: Role) -> Option<()> {
        let mut reader = BufReader::new(client);
        let Some(mut request) = Request::read_head(&mut reader) else {
            // Who tries TLS first goes on without it after an answer in plain HTTP.
            let refused = Answer::new("400 Bad Request", b"");
            return refused.write(reader.get_mut(), "GET");
        };
        let number = self.note(&request, role);
        if number > MANY {
            let enough = Answer::new("418 I'm a teapot", b"");
            return enough.write(reader.get_mut(), &request.method);
        }
        let refusal = (role == Role::Registry)
            .then(|| self.refusal(&request))
            .flatten();
        let rules = match role {
            Role::Registry if refusal.is_none() => self.due(&request),
            _ => Vec::new(),
        };
        if let Some(answer) = rule::early(&rules) {
            return answer.write(reader.get_mut(), &request.method);
        }
        request.read_body(&mut reader)?;
        let answer = match role {
            _ if refusal.is_some() => refusal,
            Role::Registry => self.answer(&request, &rules),
            Role::Tokens => Some(self.auth.token(&request, number)),
            // As Amazon's S3 does.
            _ if request.headers.get("authorization").is_some() => Some(Answer::new(
                "400 Bad Request",
                b"<Error><Message>Only one auth mechanism allowed</Message></Error>",
            )),
            _ => self.pass_on(&request),
        };
        answer?.write(reader.get_mut(), &request.method)
    }

    fn refusal(&self, request: &Request) -> Option<Answer> {
        let uses = &mut self.state.lock().unwrap().uses;
        self.auth.refusal(request, uses, &self.names)
    }

    /// The rules for a request of who is let in.
    fn due(&self, request: &Request) -> Vec<&Rule> {
        let mut state = self.state.lock().unwrap();
        state.progress.due(self.rules, request)
    }

    fn answer(&self, request: &Request, rules: &[&Rule]) -> Option<Answer> {
        let mut answer = match rule::own(rules, request, &self.names) {
            Some(answer) => answer,
            None => self.pass_on(&rule::asked(rules, request))?,
        };
        rule::change(&mut answer, rules, request, &self.names);
        Some(answer)
    }

    /// Asks the real registry.
    fn pass_on(&self, request: &Request) -> Option<Answer> {
        let mut request = request.clone();
        let target = request.target.strip_prefix("/moved");
        request.target = target.unwrap_or(&request.target).to_owned();
        if self.names.scheme == "https" {
            request.headers.set("X-Forwarded-Proto", "https");
        }
        request.send(&self.upstream)
    }
}
