//! `--published`: the registry is asked what it has, and not only for what git knows.
//!
//! Releases of older lines took `latest` from the newer one: mastodon/mastodon#17416,
//! feast-dev/feast#673, Unleash/unleash#7961, Gitlawb/node#238.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

use crate::tags::{Repo, Set};

/// Tags, each with the version that its image says to be.
pub(super) type Tags = &'static [(&'static str, &'static str)];

/// A registry of a few lines: its tags, and the label of the version that each is built as.
pub(super) struct Registry {
    address: String,
    server: thread::JoinHandle<Vec<String>>,
}

impl Registry {
    /// With these tags, each an image of its own that says to be that version.
    pub(super) fn with(tags: Tags) -> Registry {
        let mut documents = BTreeMap::new();
        let mut put = |text: String| {
            let digest = sha256(&text);
            documents.insert(digest.clone(), text.clone());
            json!({"digest": digest, "size": text.len(), "mediaType": "x"})
        };
        let tags = tags.iter().map(|(tag, version)| {
            let labels = json!({"org.opencontainers.image.version": version});
            let config =
                json!({"os": "linux", "architecture": "amd64", "config": {"Labels": labels}});
            let config = put(config.to_string());
            let manifest = put(json!({"config": config, "layers": []}).to_string());
            let digest = manifest["digest"].as_str().unwrap().to_owned();
            ((*tag).to_owned(), digest)
        });
        let tags: BTreeMap<String, String> = tags.collect();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serve = move || {
            let connections = listener.incoming().map(Result::unwrap);
            let requests = connections.map(|stream| answer(stream, &tags, &documents));
            requests.take_while(|request| !request.is_empty()).collect()
        };
        Registry {
            address,
            server: thread::spawn(serve),
        }
    }

    /// The repository's name.
    pub(super) fn name(&self) -> String {
        format!("{}/me/agent", self.address)
    }

    /// What was asked for. A connection without a request ends the registry.
    fn asked(self) -> Vec<String> {
        drop(TcpStream::connect(self.address).unwrap());
        self.server.join().unwrap()
    }
}

/// The digest of a text, from the program that everyone has.
fn sha256(text: &str) -> String {
    let script = r#"printf %s "$1" | sha256sum"#;
    let mut shell = crate::common::command("sh", std::path::Path::new("/"));
    let ran = crate::common::Ran::of(shell.args(["-c", script, "sh", text])).succeeded();
    format!("sha256:{}", ran.stdout.split(' ').next().unwrap())
}

/// Answers one request, and returns its method and the end of its path.
fn answer(
    mut stream: TcpStream,
    tags: &BTreeMap<String, String>,
    documents: &BTreeMap<String, String>,
) -> String {
    let lines = BufReader::new(&stream).lines().map_while(Result::ok);
    let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let Some(request) = request.first() else {
        return String::new();
    };
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let name = path.rsplit('/').next().unwrap().split('?').next().unwrap();
    let found: Option<String> = if name == "list" {
        let names: Vec<&String> = tags.keys().collect();
        Some(json!({"name": "me/agent", "tags": names}).to_string())
    } else {
        let digest = tags.get(name).map_or(name, String::as_str);
        documents.get(digest).cloned()
    };
    let absent: Value = json!({"errors": [{"code": "MANIFEST_UNKNOWN"}]});
    let (status, body) = match &found {
        Some(body) => ("200 OK", body.clone()),
        None => ("404 Not Found", absent.to_string()),
    };
    let digest = found.map(|body| format!("Docker-Content-Digest: {}\r\n", sha256(&body)));
    let head = format!(
        "HTTP/1.1 {status}\r\n{}Content-Length: {}\r\nConnection: close\r\n\r\n",
        digest.unwrap_or_default(),
        body.len()
    );
    let body = if method == "HEAD" { "" } else { &body };
    // The other side may have read enough.
    let _ = stream.write_all(format!("{head}{body}").as_bytes());
    format!("{method} {name}")
}

fn repo() -> Repo {
    let repo = Repo::new();
    repo.git(&["tag", "v1.0.0"]);
    for version in ["v0.9.0", "v1.9.0", "v1.10.0", "v2.0.0-rc.1", "v1.11.0"] {
        repo.commit("next");
        repo.git(&["tag", version]);
    }
    repo.git(&["checkout", "--quiet", "v1.0.0"]);
    repo
}

/// What `tags --published` says of `latest`: why it is not given; none when it is.
fn kept(repo: &Repo, folder: &std::path::Path, registry: Registry) -> Option<String> {
    let args = ["--json", "--published", "--repository", &registry.name()];
    let set = Set::of(&repo.run_in(folder, &args).succeeded());
    registry.asked();
    let is_given = set.tags().last() == Some(&"latest");
    let withheld = set.names("withheld", "name");
    assert_eq!(withheld.contains(&"latest"), !is_given, "{set:?}");
    let why = set.names("withheld", "why");
    (!is_given).then(|| (*why.last().unwrap()).to_owned())
}

#[test]
fn latest_moves_above_every_published_stable_version_alone() {
    let repo = repo();
    let higher = |version: &str| Some(format!("the higher version `v{version}` is published"));
    let cases: [(Tags, Option<String>); 7] = [
        (&[], None),
        (
            &[("v1.9.0", "1.9.0"), ("v1.10.0", "1.10.0")],
            higher("1.10.0"),
        ),
        // What git has and the registry has not was never published.
        (&[("v0.9.0", "0.9.0"), ("latest", "0.9.0")], None),
        (&[("v2.0.0-rc.1", "2.0.0-rc.1")], None),
        // What the registry has and git has not.
        (&[("v3.0.0", "3.0.0"), ("v0.9.0", "0.9.0")], higher("3.0.0")),
        (
            &[("3.0.0", "3.0.0"), ("v3", "3.0.0"), ("dev", "3.0.0")],
            None,
        ),
        // A higher version whose tag was deleted, and which `latest` still leads to.
        (
            &[("v0.9.0", "0.9.0"), ("latest", "3.0.0")],
            Some("it leads to an image that says to be version `3.0.0`".to_owned()),
        ),
    ];
    for (tags, want) in cases {
        let found = kept(&repo, &repo.root(), Registry::with(tags));
        assert_eq!(found, want, "{tags:?}");
    }
}

/// Jenkins and Buildkite fetch one tag into a clone that is not shallow.
#[test]
fn a_clone_of_one_tag_does_not_move_latest_back() {
    let repo = repo();
    let clone = repo.path("clone");
    let origin = repo.root().display().to_string();
    repo.git_in(&repo.path(""), &["init", "--quiet", "clone"]);
    repo.git_in(
        &clone,
        &[
            "fetch",
            "--quiet",
            "--no-tags",
            &origin,
            "refs/tags/v1.0.0:refs/tags/v1.0.0",
        ],
    );
    repo.git_in(&clone, &["checkout", "--quiet", "v1.0.0"]);
    let set = repo.set_in(&clone);
    assert_eq!(
        (set.strings("higher_versions"), &set.0["shallow"]),
        (vec![], &false.into())
    );
    let tags: Tags = &[
        ("v1.0.0", "1.0.0"),
        ("v1.11.0", "1.11.0"),
        ("latest", "1.11.0"),
    ];
    let why = kept(&repo, &clone, Registry::with(tags));
    assert_eq!(
        why.as_deref(),
        Some("the higher version `v1.11.0` is published")
    );
}

#[test]
fn few_requests_are_enough() {
    let repo = repo();
    let registry = Registry::with(&[("v1.9.0", "1.9.0"), ("v1.10.0", "1.10.0")]);
    let name = registry.name();
    let ran = repo.run(&["--format", "plain", "--published", "--repository", &name]);
    assert!(!ran.succeeded().stdout.contains("latest"));
    let asked = registry.asked();
    assert_eq!(asked, ["GET list", "GET v1.10.0", "GET latest"]);
}

#[test]
fn a_registry_that_does_not_answer_is_an_error_not_a_permission() {
    let repo = repo();
    let registry = Registry::with(&[]);
    let (address, name) = (registry.address.clone(), registry.name());
    registry.asked();
    let ran = repo.run(&["--published", "--repository", &name]);
    assert_eq!((ran.code, &*ran.stdout), (Some(1), ""), "{ran:#?}");
    assert!(
        ran.stderr.starts_with("error: ") && ran.stderr.contains(&address),
        "{ran:#?}"
    );
}

#[test]
fn for_a_prerelease_no_registry_is_asked() {
    let repo = repo();
    repo.git(&["checkout", "--quiet", "v2.0.0-rc.1"]);
    let name = "127.0.0.1:1/me/agent";
    let set = Set::of(
        &repo
            .run(&["--json", "--published", "--repository", name])
            .succeeded(),
    );
    assert_eq!(set.tags().last(), Some(&"v2.0.0-rc.1"));
}
