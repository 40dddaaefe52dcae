//! A registry of a few lines: what it has is made up by the test, and each request is kept.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
/// The first byte of a connection that begins TLS (RFC 8446, 5.1).
const TLS: u8 = 22;

/// What the registry has.
#[derive(Default)]
pub(crate) struct Content {
    /// The digest of each tag.
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) manifests: BTreeMap<String, Vec<u8>>,
    pub(crate) blobs: BTreeMap<String, Vec<u8>>,
    /// More names in the list of tags.
    pub(crate) listed: Vec<String>,
    /// Names that are listed once, as if somebody deleted them right after that.
    pub(crate) listed_once: Vec<String>,
    /// The answer to requests whose path ends so: the status line and the body.
    pub(crate) answers: Vec<(String, &'static str, &'static str)>,
    pub(crate) requests: Vec<String>,
    /// From the request of this number on, counted from 1, all fail: refused, or cut off in the middle of the answer.
    pub(crate) fails_from: Option<(usize, Fault)>,
}

/// How a request fails.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    Refused,
    Cut,
}

pub(crate) fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

impl Content {
    /// Keeps a blob, and returns its descriptor.
    pub(crate) fn blob(&mut self, kind: &str, bytes: &[u8]) -> Value {
        self.blobs.insert(digest(bytes), bytes.to_vec());
        json!({"mediaType": kind, "digest": digest(bytes), "size": bytes.len()})
    }

    /// Keeps a manifest or an index, with the fields that say what it is, and returns its descriptor.
    pub(crate) fn manifest(&mut self, document: &Value) -> Value {
        let mut document = document.clone();
        for (field, kind) in [("manifests", INDEX), ("layers", MANIFEST)] {
            if document.get(field).is_some() {
                document["schemaVersion"] = 2.into();
                document["mediaType"] = kind.into();
            }
        }
        let kind = document["mediaType"].as_str().unwrap_or(MANIFEST);
        let bytes = document.to_string().into_bytes();
        let entry = json!({"mediaType": kind, "digest": digest(&bytes), "size": bytes.len()});
        self.manifests.insert(digest(&bytes), bytes);
        entry
    }

    /// Keeps an image with these labels, and returns its descriptor.
    pub(crate) fn image(&mut self, labels: &Value) -> Value {
        self.image_for("amd64", labels)
    }

    /// The same for another architecture.
    pub(crate) fn image_for(&mut self, architecture: &str, labels: &Value) -> Value {
        let config = json!({
            "os": "linux", "architecture": architecture, "created": "2020-01-02T03:04:05Z",
            "config": {"Labels": labels},
        });
        let config = self.blob(CONFIG, config.to_string().as_bytes());
        let layer = self.blob(LAYER, labels.to_string().as_bytes());
        self.manifest(&json!({"config": config, "layers": [layer]}))
    }

    /// Gives a tag to a document.
    pub(crate) fn tag(&mut self, name: &str, document: &Value) {
        let entry = self.manifest(document);
        self.lead(name, &entry);
    }

    /// Gives a tag to what a descriptor names.
    pub(crate) fn lead(&mut self, name: &str, entry: &Value) {
        let digest = entry["digest"].as_str().unwrap().to_owned();
        self.tags.insert(name.to_owned(), digest);
    }

    fn answer(&mut self, method: &str, path: &str) -> (&'static str, String, Vec<u8>) {
        let found = self.answers.iter().find(|(end, ..)| path.ends_with(end));
        if let Some((_, status, body)) = found {
            return (*status, String::new(), body.as_bytes().to_vec());
        }
        if method == "POST" {
            let location = "Location: /v2/me/agent/blobs/uploads/1\r\n".to_owned();
            return ("202 Accepted", location, Vec::new());
        }
        if method == "DELETE" {
            return ("204 No Content", String::new(), Vec::new());
        }
        let mut parts = path.split('?').next().unwrap_or_default().rsplit('/');
        let (name, kind) = (parts.next().unwrap(), parts.next().unwrap_or_default());
        let found = match kind {
            "tags" => {
                let names = self
                    .tags
                    .keys()
                    .chain(&self.listed)
                    .chain(&self.listed_once);
                let list = json!({"name": "me/agent", "tags": names.collect::<Vec<_>>()});
                self.listed_once.clear();
                Some(list.to_string().into_bytes())
            }
            "manifests" => {
                let digest = self.tags.get(name).map_or(name, String::as_str);
                self.manifests.get(digest).cloned()
            }
            "blobs" => self.blobs.get(name).cloned(),
            _ => None,
        };
        let absent = json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]});
        match found {
            Some(bytes) => {
                let header = format!("Docker-Content-Digest: {}\r\n", digest(&bytes));
                ("200 OK", header, bytes)
            }
            None => (
                "404 Not Found",
                String::new(),
                absent.to_string().into_bytes(),
            ),
        }
    }
}

pub(crate) struct Registry {
    pub(crate) address: String,
    content: Arc<Mutex<Content>>,
}

impl Registry {
    /// Listens until the test's process ends.
    pub(crate) fn with(content: Content) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let content = Arc::new(Mutex::new(content));
        let shared = Arc::clone(&content);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Registry { address, content }
    }

    /// The repository's name.
    pub(crate) fn name(&self) -> String {
        format!("{}/me/agent", self.address)
    }

    pub(crate) fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap()
    }

    /// The method of each request, and the end of its path.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.content().requests.clone()
    }
}

/// Answers one request.
fn serve(mut stream: TcpStream, content: &Mutex<Content>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    // It speaks no TLS, and says so by an end.
    if *reader.fill_buf().ok()?.first()? == TLS {
        return None;
    }
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut line = String::new();
    while reader.read_line(&mut line).ok()? > 2 {
        line.clear();
    }
    let mut words = first.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let mut content = content.lock().unwrap();
    let name = path.split('?').next()?.trim_end_matches('/');
    let name = name.rsplit('/').next()?;
    content.requests.push(format!("{method} {name}"));
    let number = content.requests.len();
    let fault = content.fails_from.filter(|(first, _)| number >= *first);
    let (status, headers, mut body) = match fault {
        Some((_, Fault::Refused)) => ("403 Forbidden", String::new(), b"{}".to_vec()),
        _ => content.answer(method, path),
    };
    let length = body.len();
    if let Some((_, Fault::Cut)) = fault {
        if method == "HEAD" {
            return None;
        }
        body.truncate(length / 2);
    }
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).ok()?;
    // The answer to a HEAD ends with its headers, whatever length they name.
    let body = if method == "HEAD" { &[] } else { &*body };
    stream.write_all(body).ok()
}
