//! Where a pull request comes from, by the payload of its event. Read strictly: whoever opens a pull
//! request decides parts of it, and an image is pushed on what it says.

use std::fs::File;
use std::io::Read as _;

use serde::Deserialize;

use crate::exec::Exec;

/// The largest payload in bytes; GitHub sends none above 25 MB.
const LARGEST: u64 = 26_000_000;

/// Where the branch of a pull request is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// In the repository that the pull request is for.
    Own {
        number: u64,
        /// The commit at the head of the branch, not its merge.
        head: String,
    },
    /// In another repository, by its name; or in one that is deleted.
    Fork(String),
    /// The payload does not say; the reason.
    Unknown(String),
}

/// The part of the payload that counts. What is missing is an error.
#[derive(Deserialize)]
struct Payload {
    pull_request: PullRequest,
}

#[derive(Deserialize)]
struct PullRequest {
    number: u64,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct Side {
    sha: String,
    /// None when it is deleted.
    #[serde(deserialize_with = "Option::deserialize")]
    repo: Option<Repo>,
}

#[derive(Debug, PartialEq, Eq, Deserialize)]
struct Repo {
    id: u64,
    full_name: String,
}

/// Reads the payload that `GITHUB_EVENT_PATH` names.
pub(super) fn origin(exec: &Exec) -> Origin {
    let Some(path) = exec.var("GITHUB_EVENT_PATH") else {
        return Origin::Unknown("GITHUB_EVENT_PATH is not set".to_owned());
    };
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes));
    match read {
        Err(why) => Origin::Unknown(format!("`{path}` cannot be read: {why}")),
        Ok(size) if size as u64 > LARGEST => Origin::Unknown(format!("`{path}` is too large")),
        Ok(_) => parse(&bytes, exec.var("GITHUB_REPOSITORY").as_deref()),
    }
}

/// `repository` is the one that the job runs for.
fn parse(payload: &[u8], repository: Option<&str>) -> Origin {
    let payload: Payload = match serde_json::from_slice(payload) {
        Ok(payload) => payload,
        Err(why) => return Origin::Unknown(format!("the event's payload cannot be read: {why}")),
    };
    let PullRequest { number, head, base } = payload.pull_request;
    let Some(base) = base.repo.filter(|base| repository == Some(&base.full_name)) else {
        return Origin::Unknown("the pull request is for another repository".to_owned());
    };
    let is_id = |id: &str| id.len() >= 40 && id.bytes().all(|c| c.is_ascii_hexdigit());
    match head.repo {
        // A fork that is deleted is no less a fork.
        None => Origin::Fork("a repository that is deleted".to_owned()),
        Some(repo) if repo == base && is_id(&head.sha) => Origin::Own {
            number,
            head: head.sha,
        },
        Some(repo) if repo == base => Origin::Unknown("its head is not a commit".to_owned()),
        Some(repo) => Origin::Fork(format!("{:?}", repo.full_name)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

    fn payload(head: &Value) -> Value {
        json!({
            "action": "opened",
            "number": 7,
            "pull_request": {
                "number": 7,
                "head": {"ref": "main", "sha": SHA, "repo": head},
                "base": {"ref": "main", "sha": "x", "repo": {"id": 1, "full_name": "me/agent"}},
            },
        })
    }

    fn of(payload: &str) -> Origin {
        parse(payload.as_bytes(), Some("me/agent"))
    }

    #[test]
    fn only_the_same_repository_is_its_own() {
        let own = json!({"id": 1, "full_name": "me/agent", "fork": false});
        let found = of(&payload(&own).to_string());
        assert_eq!(
            found,
            Origin::Own {
                number: 7,
                head: SHA.to_owned()
            }
        );
        for fork in [
            json!({"id": 2, "full_name": "you/agent"}),
            // Renamed to look alike, or an old name that was taken by somebody else.
            json!({"id": 2, "full_name": "me/agent"}),
            json!({"id": 1, "full_name": "you/agent"}),
            Value::Null,
        ] {
            let found = of(&payload(&fork).to_string());
            assert!(matches!(found, Origin::Fork(_)), "{fork}: {found:?}");
        }
    }

    #[test]
    fn what_is_not_said_is_not_guessed() {
        let own = json!({"id": 1, "full_name": "me/agent"});
        let good = payload(&own);
        let without = |path: &str| {
            let mut bad = good.clone();
            let (parent, key) = path.rsplit_once('/').unwrap();
            let parent = bad.pointer_mut(parent).unwrap();
            parent.as_object_mut().unwrap().remove(key);
            bad.to_string()
        };
        let twice = good
            .to_string()
            .replace("\"repo\":{", "\"repo\":null,\"repo\":{");
        let odd = good.to_string().replace(SHA, "main");
        let word = good.to_string().replace("\"number\":7", "\"number\":\"7\"");
        for bad in [
            String::new(),
            "[]".to_owned(),
            "{}".to_owned(),
            without("/pull_request"),
            without("/pull_request/number"),
            without("/pull_request/head/repo"),
            without("/pull_request/head/sha"),
            without("/pull_request/head/repo/id"),
            without("/pull_request/base/repo"),
            twice,
            odd,
            word,
        ] {
            assert!(matches!(of(&bad), Origin::Unknown(_)), "{bad}");
        }
        for other in [None, Some("you/agent"), Some("")] {
            let found = parse(good.to_string().as_bytes(), other);
            assert!(matches!(found, Origin::Unknown(_)), "{other:?}");
        }
    }
}
