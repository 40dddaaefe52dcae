//! A stand-in for GitHub Actions' cache service, as far as BuildKit uses it: the second version of
//! its interface, and the storage that its signed addresses lead to.

use std::collections::BTreeMap;
use std::io::{BufReader, Read as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::proxy::{read_head, respond};

/// What the addresses of its methods have in common.
pub(super) const METHODS: &str = "/twirp/github.actions.results.api.v1.CacheService/";
/// What those of entries' contents have.
const CONTENTS: &str = "/contents/";

/// An answer: a status line, and a body.
type Answer = (&'static str, Vec<u8>);

/// Something that is kept, or about to be.
#[derive(Default)]
struct Entry {
    key: String,
    content: Vec<u8>,
    /// Of a content that comes in several, until all are there.
    blocks: BTreeMap<String, Vec<u8>>,
    is_whole: bool,
}

#[derive(Default)]
struct State {
    /// The older first; an entry's number is in its addresses.
    entries: Vec<Entry>,
    /// What is done with those keys, and those addresses, that begin so.
    fault: Option<(&'static str, &'static str)>,
}

pub(super) struct Service {
    address: String,
    token: String,
    state: Arc<Mutex<State>>,
}

impl Service {
    /// Listens until the test's process ends.
    pub(super) fn start() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let service = Service {
            address: format!("http://{}", listener.local_addr().unwrap()),
            token: token(),
            state: Arc::default(),
        };
        let (address, state) = (service.address.clone(), Arc::clone(&service.state));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (address, state) = (address.clone(), Arc::clone(&state));
                thread::spawn(move || serve(&client, &address, &state));
            }
        });
        service
    }

    /// The address of one that has ended.
    pub(super) fn gone() -> Service {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Service {
            address: format!("http://{}", listener.local_addr().unwrap()),
            token: token(),
            state: Arc::default(),
        }
    }

    /// Gives a program what GitHub gives to the actions of a job.
    pub(super) fn announce(&self, command: &mut Command) {
        command.env("ACTIONS_RESULTS_URL", &self.address);
        command.env("ACTIONS_RUNTIME_TOKEN", &self.token);
        command.env("ACTIONS_CACHE_SERVICE_V2", "True");
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Answers so, from here on, where an address, or the key whose content it is, begins so.
    pub(super) fn fail(&self, start: &'static str, status: &'static str) {
        self.state().fault = Some((start, status));
    }

    /// Forgets the entries whose keys begin so.
    pub(super) fn evict(&self, start: &str) {
        let entries = &mut self.state().entries;
        for entry in entries
            .iter_mut()
            .filter(|entry| entry.key.starts_with(start))
        {
            *entry = Entry::default();
        }
    }

    /// The keys of all entries.
    pub(super) fn keys(&self) -> Vec<String> {
        let state = self.state();
        let whole = state.entries.iter().filter(|entry| entry.is_whole);
        whole.map(|entry| entry.key.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// A token as a job on the branch `main` has it; nobody checks who signed it.
fn token() -> String {
    let scopes = json!([{"Scope": "refs/heads/main", "Permission": 3}]).to_string();
    let claims = json!({"ac": scopes, "nbf": 0, "exp": 4_000_000_000_u64});
    let parts = [
        json!({"typ": "JWT", "alg": "HS256"}),
        claims,
        json!("signature"),
    ];
    let parts = parts.map(|part| BASE64_URL_SAFE_NO_PAD.encode(part.to_string()));
    parts.join(".")
}

/// Answers one request; a connection that breaks is somebody else's doing.
fn serve(client: &TcpStream, address: &str, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(client.try_clone().ok()?);
    let (head, length) = read_head(&mut reader)?;
    let mut body = Vec::new();
    reader.take(length).read_to_end(&mut body).ok()?;
    let head = String::from_utf8(head).ok()?;
    let (status, answer) = answer(&head, body, address, &mut state.lock().unwrap());
    respond(client, status, "x-ms-request-id: 1\r\n", &answer)
}

fn answer(head: &str, body: Vec<u8>, address: &str, state: &mut State) -> Answer {
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let content = path.strip_prefix(CONTENTS).map(|rest| {
        let (number, query) = rest.split_once('?').unwrap();
        (number.parse::<usize>().unwrap(), query)
    });
    let of = content.map_or(path, |(number, _)| &state.entries[number].key);
    if let Some((start, status)) = state.fault
        && of.starts_with(start)
    {
        return (status, b"{}".to_vec());
    }
    if let Some((number, query)) = content {
        let entry = &mut state.entries[number];
        return contents(method, query, head, body, entry);
    }
    if !head.contains(&token()) {
        return ("401 Unauthorized", b"{}".to_vec());
    }
    let name = path.strip_prefix(METHODS).unwrap();
    let asked: Value = serde_json::from_slice(&body).unwrap();
    let (status, answer) = call(name, &asked, address, &mut state.entries);
    (status, answer.to_string().into_bytes())
}

/// One of the methods.
fn call(
    name: &str,
    asked: &Value,
    address: &str,
    entries: &mut Vec<Entry>,
) -> (&'static str, Value) {
    let key = asked["key"].as_str().unwrap();
    let at = |number: usize| format!("{address}{CONTENTS}{number}?sig=1");
    let answer = match name {
        "CreateCacheEntry" if entries.iter().any(|entry| entry.key == key) => {
            return ("409 Conflict", json!({"code": "already_exists"}));
        }
        "CreateCacheEntry" => {
            entries.push(Entry {
                key: key.to_owned(),
                ..Entry::default()
            });
            json!({"ok": true, "signed_upload_url": at(entries.len() - 1)})
        }
        "FinalizeCacheEntryUpload" => {
            let entry = entries.iter_mut().find(|entry| entry.key == key).unwrap();
            entry.is_whole = asked["size_bytes"] == entry.content.len();
            json!({"ok": entry.is_whole, "entry_id": "1"})
        }
        "GetCacheEntryDownloadURL" => {
            // The newest whose key begins so, as with `restore-keys` of a workflow.
            let mut entries = entries.iter().enumerate().rev();
            match entries.find(|(_, entry)| entry.is_whole && entry.key.starts_with(key)) {
                Some((number, Entry { key, .. })) => {
                    json!({"ok": true, "signed_download_url": at(number), "matched_key": key})
                }
                None => json!({"ok": false}),
            }
        }
        _ => return ("404 Not Found", json!({"code": "bad_route"})),
    };
    ("200 OK", answer)
}

/// The storage: a content is put at once or block by block, and got from any byte on.
fn contents(method: &str, query: &str, head: &str, body: Vec<u8>, entry: &mut Entry) -> Answer {
    let parameter = |name: &str| query.split('&').find_map(|part| part.strip_prefix(name));
    match (method, parameter("comp=")) {
        ("PUT", None) => entry.content = body,
        ("PUT", Some("block")) => {
            let id = parameter("blockid=").unwrap();
            let id = id.replace("%2B", "+").replace("%2F", "/");
            entry.blocks.insert(id.replace("%3D", "="), body);
        }
        ("PUT", Some("blocklist")) => {
            let list = String::from_utf8(body).unwrap();
            let ids = list.split("<Latest>").skip(1);
            for id in ids.map(|rest| rest.split('<').next().unwrap()) {
                entry.content.extend(&entry.blocks[id]);
            }
        }
        _ => {
            let head = head.to_lowercase();
            let range = head.split("x-ms-range: bytes=").nth(1);
            let from = range.and_then(|range| range.split('-').next()?.parse().ok());
            let content = &entry.content[from.unwrap_or(0)..];
            return ("206 Partial Content", content.to_vec());
        }
    }
    ("201 Created", Vec::new())
}
