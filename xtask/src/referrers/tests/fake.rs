//! A registry of a few lines, in memory, with the referrers API or without it.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::exec::Exec;
use crate::oci::{Digest, INDEX, MANIFEST};
use crate::referrers::Writer;
use crate::registry::{Puller, Pusher, Registry};
use crate::retry::Retry;

/// How a registry lists referrers itself (distribution-spec 1.1, "Listing Referrers").
#[derive(Clone, Copy)]
pub(super) struct Api {
    /// How many are on a page.
    pub(super) page: usize,
}

/// The answer to a request that is done, and whose answer never comes.
pub(super) const LOST: &str = "lost";

type Hook = Box<dyn FnOnce(&mut State) + Send>;

#[derive(Default)]
pub(super) struct State {
    /// None for a registry as the distribution project's is.
    pub(super) api: Option<Api>,
    pub(super) tags: BTreeMap<String, Digest>,
    pub(super) manifests: BTreeMap<Digest, Vec<u8>>,
    pub(super) blobs: BTreeMap<Digest, Vec<u8>>,
    /// The requests, with digests cut short.
    pub(super) log: Vec<String>,
    /// Status, headers and body of the next answers to requests that begin so. Without a status the
    /// connection is closed.
    pub(super) answers: VecDeque<(String, String)>,
    /// What happens right before or after the next requests that begin so.
    pub(super) hooks: Vec<(When, String, Hook)>,
    /// What is added to the answer to a manifest with a subject.
    pub(super) subject: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

pub(super) struct Fake {
    pub(super) puller: Puller,
    pub(super) pusher: Pusher,
    state: Arc<Mutex<State>>,
    address: String,
    home: tempfile::TempDir,
}

/// As quick as a test wants it.
pub(super) const RETRY: Retry = Retry {
    times: 5,
    time: Duration::from_mins(1),
    is_announced: false,
    sleep: |time| {
        thread::sleep(time / 20);
        Ok(())
    },
    random: || 0.5,
};

impl Fake {
    /// Listens until the test's process ends.
    pub(super) fn new(api: Option<Api>) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State {
            api,
            ..State::default()
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        let home = tempfile::tempdir().unwrap();
        let registry = client(home.path(), &address);
        Fake {
            puller: registry.puller(),
            pusher: registry.pusher(),
            state,
            address,
            home,
        }
    }

    /// Another client, which knows nothing yet.
    pub(super) fn anew(&self) -> Registry {
        client(self.home.path(), &self.address)
    }

    pub(super) fn writer(&self) -> Writer<'_> {
        Writer {
            puller: &self.puller,
            pusher: &self.pusher,
            retry: RETRY,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The requests since the last time.
    pub(super) fn log(&self) -> Vec<String> {
        std::mem::take(&mut self.state().log)
    }

    /// Does something right before or after the next request that begins with `start`.
    pub(super) fn at(
        &self,
        when: When,
        start: &str,
        hook: impl FnOnce(&mut State) + Send + 'static,
    ) {
        self.state()
            .hooks
            .push((when, start.to_owned(), Box::new(hook)));
    }

    /// Answers the next request that begins with `start` so.
    pub(super) fn answers(&self, start: &str, answer: &str) {
        let answer = answer.replace("ADDRESS", &self.address);
        self.state().answers.push_back((start.to_owned(), answer));
    }
}

fn client(home: &Path, address: &str) -> Registry {
    let exec = Exec::new(home, false).unwrap();
    exec.set_var("DOCKER_CONFIG", home.to_str().unwrap());
    let repository = format!("{address}/me/agent").parse().unwrap();
    Registry::in_steps(&exec, &repository, RETRY)
}

impl State {
    pub(super) fn put(&mut self, reference: &str, document: &Value) -> Digest {
        self.push(reference, document.to_string().into_bytes())
    }

    pub(super) fn push(&mut self, reference: &str, bytes: Vec<u8>) -> Digest {
        let digest = Digest::of(&bytes);
        self.manifests.insert(digest.clone(), bytes);
        if !reference.starts_with("sha256:") {
            self.tags.insert(reference.to_owned(), digest.clone());
        }
        digest
    }

    pub(super) fn tagged(&self, tag: &str) -> Value {
        let digest = &self.tags[tag];
        serde_json::from_slice(&self.manifests[digest]).unwrap()
    }

    fn run(&mut self, when: When, line: &str) {
        let is_now = |(at, start, _): &(When, String, Hook)| *at == when && line.starts_with(start);
        if let Some(at) = self.hooks.iter().position(is_now) {
            let (_, _, hook) = self.hooks.remove(at);
            hook(self);
        }
    }

    /// Status with headers, and body.
    fn answer(&mut self, method: &str, path: &str, body: Vec<u8>) -> (String, Vec<u8>) {
        let line = format!("{method} {path}");
        let mut answers = self.answers.iter();
        if let Some(at) = answers.position(|(start, _)| line.starts_with(start)) {
            let (_, answer) = self.answers.remove(at).unwrap();
            if answer == LOST {
                self.answer(method, path, body);
                return (String::new(), Vec::new());
            }
            let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
            return (head.to_owned(), body.as_bytes().to_vec());
        }
        if let Some(rest) = path.strip_prefix("referrers/") {
            return self.referrers(rest);
        }
        if path == "blobs/uploads/" {
            return (
                "202 Accepted\r\nLocation: /v2/me/agent/u/1".to_owned(),
                Vec::new(),
            );
        }
        if let Some(digest) = path.strip_prefix("u/1?digest=") {
            let digest = digest.replace("%3A", ":").parse().unwrap();
            self.blobs.insert(digest, body);
            return ("201 Created".to_owned(), Vec::new());
        }
        if let Some(digest) = path.strip_prefix("blobs/") {
            let digest = digest.parse().ok();
            return found(
                digest.and_then(|it: Digest| self.blobs.get(&it)),
                "BLOB_UNKNOWN",
            );
        }
        let reference = path.strip_prefix("manifests/").unwrap_or_default();
        if method == "PUT" {
            return self.take(reference, body);
        }
        let digest = self
            .tags
            .get(reference)
            .cloned()
            .or_else(|| reference.parse().ok());
        found(
            digest.and_then(|it| self.manifests.get(&it)),
            "MANIFEST_UNKNOWN",
        )
    }

    /// Takes a manifest, unless it names what is not there, as the distribution project's registry does.
    fn take(&mut self, reference: &str, bytes: Vec<u8>) -> (String, Vec<u8>) {
        let document: Value = serde_json::from_slice(&bytes).unwrap();
        let list = |name: &str| document[name].as_array().cloned().unwrap_or_default();
        let is_lacking = |entry: &Value, there: &BTreeMap<Digest, Vec<u8>>| {
            let digest = entry["digest"].as_str().unwrap().parse();
            digest.is_ok_and(|digest: Digest| !there.contains_key(&digest))
        };
        let lacks = list("manifests")
            .iter()
            .any(|one| is_lacking(one, &self.manifests))
            || list("layers")
                .iter()
                .any(|one| is_lacking(one, &self.blobs))
            || (document["config"].is_object() && is_lacking(&document["config"], &self.blobs));
        if lacks {
            let text = json!({"errors": [{"code": "MANIFEST_BLOB_UNKNOWN"}]}).to_string();
            return ("400 Bad Request".to_owned(), text.into_bytes());
        }
        self.push(reference, bytes);
        let mut head = "201 Created".to_owned();
        let own = document["subject"]["digest"]
            .as_str()
            .filter(|_| self.api.is_some());
        if let Some(subject) = self.subject.as_deref().or(own) {
            head = format!("{head}\r\nOCI-Subject: {subject}");
        }
        (head, Vec::new())
    }

    fn referrers(&self, rest: &str) -> (String, Vec<u8>) {
        let Some(Api { page }) = self.api else {
            return (
                "404 Not Found\r\nContent-Type: text/plain".to_owned(),
                b"404 page not found".to_vec(),
            );
        };
        let (subject, query) = rest.split_once('?').unwrap_or((rest, ""));
        let from: usize = query
            .strip_prefix("from=")
            .map_or(0, |from| from.parse().unwrap());
        let entries = self.manifests.iter().filter_map(|(digest, bytes)| {
            let document: Value = serde_json::from_slice(bytes).ok()?;
            let kind = document["artifactType"]
                .as_str()
                .or(document["config"]["mediaType"].as_str())?;
            let is_listed = document["subject"]["digest"] == subject;
            is_listed.then(|| json!({
                "mediaType": MANIFEST, "digest": digest, "size": bytes.len(), "artifactType": kind,
                "annotations": document["annotations"],
            }))
        });
        let entries: Vec<Value> = entries.collect();
        let until = (from + page).min(entries.len());
        let mut head = format!("200 OK\r\nContent-Type: {INDEX}");
        if until < entries.len() {
            let next = format!("/v2/me/agent/referrers/{subject}?from={until}");
            head = format!("{head}\r\nLink: <{next}>; rel=\"next\"");
        }
        let list =
            json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries[from..until]});
        (head, list.to_string().into_bytes())
    }
}

fn found(bytes: Option<&Vec<u8>>, code: &str) -> (String, Vec<u8>) {
    let Some(bytes) = bytes else {
        let text = json!({"errors": [{"code": code}]}).to_string();
        return ("404 Not Found".to_owned(), text.into_bytes());
    };
    let head = format!("200 OK\r\nDocker-Content-Digest: {}", Digest::of(bytes));
    (head, bytes.clone())
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).ok()?;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let path = path.strip_prefix("/v2/me/agent/")?;
    let line = format!("{method} {path}");
    let (head, body) = {
        let mut state = state.lock().unwrap();
        state.run(When::Before, &line);
        state.log.push(short(&line));
        let answer = state.answer(method, path, body);
        state.run(When::After, &line);
        answer
    };
    if head.is_empty() {
        return None;
    }
    // A broken connection: the body is shorter than it should be.
    let length = body.len() + usize::from(head.contains("X-Cut"));
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).ok()?;
    // The answer to a HEAD ends with its headers, whatever length they name.
    let body = if method == "HEAD" { &[] } else { &*body };
    stream.write_all(body).ok()
}

/// A request with six digits of each digest.
fn short(line: &str) -> String {
    let mut short = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("sha256").filter(|at| rest.len() >= at + 71) {
        // `sha256:`, `sha256-` or `sha256%3A`.
        let start = at
            + if rest[at + 6..].starts_with('%') {
                9
            } else {
                7
            };
        short.push_str(&rest[..start + 6]);
        rest = &rest[start + 64..];
    }
    short.push_str(rest);
    short
}
