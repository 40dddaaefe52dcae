//! A registry of a few lines, in memory, which deletes as one of several real registries does.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};

use crate::exec::Exec;
use crate::oci::Digest;
use crate::reference::Repository;
use crate::registry::{Deleter, Registry};

/// How a registry deletes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Tags alone, and digests with all their tags (distribution spec 1.1).
    Both,
    /// Digests with all their tags; a tag is answered with `DIGEST_INVALID` (distribution 2.8).
    Digests,
    /// Nothing (ghcr.io).
    Nothing,
    /// Tags, and no manifest (distribution 3.0 with deletion off).
    Tags,
    /// Tags alone, and digests that no tag and no index leads to (genuinetools/reg#136).
    Untagged,
    /// Digests, whose tags stay and still answer (getnora-io/nora#658).
    Dangling,
    /// Digests; a tag takes its manifest with it (project-zot/zot#67).
    Greedy,
    /// Nothing for this account (Docker Hub, while a tag leads there).
    Forbidden,
}

type Hook = Box<dyn FnOnce(&mut State) + Send>;

pub(super) struct State {
    pub(super) mode: Mode,
    pub(super) tags: BTreeMap<String, Digest>,
    pub(super) manifests: BTreeMap<Digest, Vec<u8>>,
    /// What tags lead to whose manifest was deleted.
    dangling: BTreeMap<Digest, Vec<u8>>,
    blobs: BTreeMap<Digest, Vec<u8>>,
    /// Method and reference of each request for a manifest.
    pub(super) log: Vec<String>,
    /// What happens right before the first deletion of a reference that begins so.
    hook: Option<(String, Hook)>,
    /// After so many deletions every request fails.
    pub(super) breaks_after: usize,
    /// How many tags are on a page of the list.
    pub(super) page: usize,
    /// More names in the list of tags.
    pub(super) lists: Vec<String>,
}

pub(super) struct Fake {
    pub(super) deleter: Deleter,
    pub(super) repository: Repository,
    state: Arc<Mutex<State>>,
    pub(super) home: tempfile::TempDir,
}

impl Fake {
    /// Listens until the test's process ends.
    pub(super) fn new(mode: Mode) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            mode,
            tags: BTreeMap::new(),
            manifests: BTreeMap::new(),
            dangling: BTreeMap::new(),
            blobs: BTreeMap::new(),
            log: Vec::new(),
            hook: None,
            breaks_after: usize::MAX,
            page: 1000,
            lists: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                serve(stream, &mut shared.lock().unwrap());
            }
        });
        let home = tempfile::tempdir().unwrap();
        let exec = Exec::new(home.path(), false).unwrap();
        exec.set_var("DOCKER_CONFIG", home.path().to_str().unwrap());
        let repository = format!("{address}/me/agent").parse().unwrap();
        Fake {
            deleter: Registry::new(&exec, &repository).deleter(),
            repository,
            state,
            home,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Does something right before the first deletion of a reference that begins with `start`.
    pub(super) fn before(&self, start: &str, hook: impl FnOnce(&mut State) + Send + 'static) {
        self.state().hook = Some((start.to_owned(), Box::new(hook)));
    }

    /// The tags that are there.
    pub(super) fn tags(&self) -> Vec<String> {
        self.state().tags.keys().cloned().collect()
    }
}

impl State {
    fn put(&mut self, document: &Value) -> Digest {
        let bytes = document.to_string().into_bytes();
        let digest = Digest::of(&bytes);
        self.manifests.insert(digest.clone(), bytes);
        digest
    }

    /// The manifest of an image that was made at `created`.
    pub(super) fn manifest(&mut self, content: &str, created: &str) -> Digest {
        let config = json!({"created": created, "os": "linux", "content": content}).to_string();
        let digest = Digest::of(config.as_bytes());
        let size = config.len();
        self.blobs.insert(digest.clone(), config.into_bytes());
        let config = json!({"digest": digest, "size": size, "mediaType": "c"});
        self.put(&json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": config, "layers": [],
        }))
    }

    /// Gives a tag to an index of `manifests`.
    pub(super) fn index(&mut self, tag: &str, manifests: &[Digest]) -> Digest {
        let entries = manifests.iter().map(|digest| {
            let size = self.manifests.get(digest).map_or(1, Vec::len);
            json!({
                "digest": digest, "size": size,
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
            })
        });
        let entries: Vec<Value> = entries.collect();
        let digest = self.put(&json!({
            "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": entries,
        }));
        self.tags.insert(tag.to_owned(), digest.clone());
        digest
    }

    /// Gives a tag to a manifest with a subject, as a signature has one.
    pub(super) fn attach(&mut self, tag: &str, subject: &Digest) {
        let kind = "application/vnd.oci.image.manifest.v1+json";
        let subject = json!({"digest": subject, "size": 1, "mediaType": kind});
        let digest = self.put(&json!({"layers": [], "subject": subject}));
        self.tags.insert(tag.to_owned(), digest);
    }

    /// The answer to a request.
    fn answer(&mut self, method: &str, path: &str) -> (&'static str, String, Vec<u8>) {
        if let Some(query) = path.strip_prefix("tags/list?") {
            return self.list(query);
        }
        if let Some(digest) = path.strip_prefix("blobs/") {
            let blob = digest
                .parse()
                .ok()
                .and_then(|it: Digest| self.blobs.get(&it));
            return found(blob);
        }
        let reference = path.strip_prefix("manifests/").unwrap_or_default();
        self.log.push(format!("{method} {reference}"));
        if method == "DELETE" {
            return self.delete(reference);
        }
        let by_tag = self.tags.get(reference);
        let dangling = by_tag.and_then(|digest| self.dangling.get(digest));
        let digest = by_tag.cloned().or_else(|| reference.parse().ok());
        let manifest = digest.and_then(|digest| self.manifests.get(&digest));
        found(manifest.or(dangling))
    }

    fn list(&self, query: &str) -> (&'static str, String, Vec<u8>) {
        let last = query.split_once("last=").map(|(_, last)| last.to_owned());
        let names = self.tags.keys().chain(&self.lists);
        let mut names: Vec<&String> = names.filter(|name| Some(*name) > last.as_ref()).collect();
        let is_more = names.len() > self.page;
        names.truncate(self.page);
        let link = names.last().filter(|_| is_more).map(|last| {
            format!("Link: </v2/me/agent/tags/list?n=1000&last={last}>; rel=\"next\"\r\n")
        });
        let text = json!({"tags": names}).to_string();
        ("200 OK", link.unwrap_or_default(), text.into_bytes())
    }

    fn delete(&mut self, reference: &str) -> (&'static str, String, Vec<u8>) {
        if let Some((start, hook)) = self.hook.take() {
            if reference.starts_with(&start) {
                hook(self);
            } else {
                self.hook = Some((start, hook));
            }
        }
        let error = |code: &str| json!({"errors": [{"code": code}]}).to_string().into_bytes();
        let refused = |status, code| (status, String::new(), error(code));
        let digest = reference.parse::<Digest>().ok();
        match (self.mode, &digest) {
            (Mode::Nothing, _) | (Mode::Tags, Some(_)) => {
                return refused("405 Method Not Allowed", "UNSUPPORTED");
            }
            (Mode::Forbidden, _) => return refused("403 Forbidden", "DENIED"),
            (Mode::Digests | Mode::Dangling, None) => {
                return refused("400 Bad Request", "DIGEST_INVALID");
            }
            (Mode::Untagged, Some(digest)) if self.is_led_to(digest) => {
                return refused("400 Bad Request", "MANIFEST_DANGLING_TAG");
            }
            _ => {}
        }
        if !self.remove(reference, digest) {
            return refused("404 Not Found", "MANIFEST_UNKNOWN");
        }
        self.breaks_after = self.breaks_after.saturating_sub(1);
        ("202 Accepted", String::new(), Vec::new())
    }

    /// Whether a tag or a digest was there to be removed.
    fn remove(&mut self, reference: &str, digest: Option<Digest>) -> bool {
        let removed = match (&digest, self.tags.remove(reference)) {
            (Some(digest), _) => self.manifests.remove_entry(digest),
            (None, Some(digest)) if self.mode == Mode::Greedy => {
                self.manifests.remove_entry(&digest)
            }
            (None, led_to) => led_to.map(|digest| (digest, Vec::new())),
        };
        if let Some(digest) = digest {
            if self.mode == Mode::Dangling {
                self.dangling.extend(removed.clone());
            } else {
                self.tags.retain(|_, leads_to| *leads_to != digest);
            }
        }
        removed.is_some()
    }

    /// Whether a tag or an index leads to a digest.
    fn is_led_to(&self, digest: &Digest) -> bool {
        let named = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).contains(digest.as_str());
        self.tags.values().any(|it| it == digest) || self.manifests.values().any(named)
    }
}

fn found(bytes: Option<&Vec<u8>>) -> (&'static str, String, Vec<u8>) {
    let Some(bytes) = bytes else {
        let text = json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]}).to_string();
        return ("404 Not Found", String::new(), text.into_bytes());
    };
    let digest = Digest::of(bytes);
    let header = format!("Docker-Content-Digest: {digest}\r\n");
    ("200 OK", header, bytes.clone())
}

fn serve(mut stream: TcpStream, state: &mut State) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let path = path.strip_prefix("/v2/me/agent/")?;
    let (status, headers, body) = if state.breaks_after == 0 {
        ("418 I'm a teapot", String::new(), Vec::new())
    } else {
        state.answer(method, path)
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    // The answer to a HEAD ends with its headers, whatever length they name.
    let body = if method == "HEAD" { &[] } else { &*body };
    stream.write_all(body).ok()
}
