//! What verify asks the engine for is, in every field, what docker's client makes of the command line that
//! docs/contract.md gives and `--verbose` shows.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::relay::{Relay, engine};
use crate::common::Ran;
use crate::world::{docker, image, unique_name, xtask};

/// What makes containers; the rest reads files.
const GROUPS: &str = "contract,agent,pid1,health,hardening,claude";

#[test]
fn every_container_is_what_its_command_line_makes() {
    let folder = tempfile::tempdir().unwrap();
    let relay = Relay::new(folder.path());
    let mut verify = xtask(&["verify", image(), "--verbose", "--only", GROUPS]);
    verify.arg("--receipt-dir").arg(folder.path());
    let ran = Ran::of(verify.env("DOCKER_HOST", relay.host())).succeeded();
    let lines = command_lines(&ran.stderr);
    let asked: Vec<Asked> = relay
        .heard()
        .iter()
        .flat_map(|heard| asked(heard))
        .collect();
    assert!(asked.len() > 40, "{} containers", asked.len());
    for (name, line) in &lines {
        // All but the shared container are named by a check and a number.
        let (check, number) = name.rsplit_once('-').unwrap();
        let is_judged = check.contains("-health-") || number.parse::<u32>().is_err();
        let without = line.iter().any(|word| word == "--no-healthcheck");
        assert_ne!(is_judged, without, "{name}: is its health judged?");
    }

    // One of each kind: most differ in nothing but the command.
    let mut kinds: BTreeMap<String, (Vec<String>, Asked)> = BTreeMap::new();
    for one in asked {
        let line = &lines[&one.name];
        let with = |value: &str| {
            let value = value.replace(&one.name, "NAME");
            value.replace(&one.folder(), "")
        };
        let at = line.iter().position(|word| word.starts_with("sha256:"));
        let options: Vec<String> = line[..at.unwrap()].iter().map(|word| with(word)).collect();
        let has_command = line.len() > at.unwrap() + 1;
        let kind = format!("{has_command} {}", options.join(" "));
        kinds.entry(kind).or_insert((line.clone(), one));
    }
    assert!(kinds.len() > 12, "{:#?}", kinds.keys());
    let mut wrong = Vec::new();
    for (line, one) in kinds.into_values() {
        let (by_line, by_request) = (made_by(&line), one.make());
        let mut differ = Vec::new();
        compare("", &by_line, &by_request, &mut differ);
        if !differ.is_empty() {
            wrong.push((line, differ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The fields that differ. To the engine an empty list is no list.
fn compare(path: &str, left: &Value, right: &Value, differ: &mut Vec<String>) {
    if let (Value::Object(one), Value::Object(other)) = (left, right) {
        let names = one
            .keys()
            .chain(other.keys().filter(|name| !one.contains_key(*name)));
        for name in names {
            let path = format!("{path}/{name}");
            compare(&path, &left[name], &right[name], differ);
        }
        return;
    }
    let is_empty = |value: &Value| [json!([]), json!({}), Value::Null].contains(value);
    if left != right && !(is_empty(left) && is_empty(right)) {
        differ.push(format!(
            "{path}: {left} by the command line, {right} by the request"
        ));
    }
}

/// The command lines of `docker run` that were shown, by the names of their containers.
fn command_lines(shown: &str) -> BTreeMap<String, Vec<String>> {
    let mut lines = BTreeMap::new();
    for (at, _) in shown.match_indices("$ docker run ") {
        // A word may go over several lines.
        let text = &shown[at + 2..];
        let mut ends = text.match_indices('\n').map(|(end, _)| end);
        let words = ends.find_map(|end| shell_words::split(&text[..end]).ok());
        let words = words.unwrap();
        let name = words.iter().position(|word| word == "--name").unwrap() + 1;
        lines.insert(words[name].clone(), words);
    }
    lines
}

/// A container that the engine was asked for.
struct Asked {
    name: String,
    query: String,
    body: Value,
}

/// The containers that one connection has asked for, but those of docker's own client.
fn asked(heard: &[u8]) -> Vec<Asked> {
    let text = String::from_utf8_lossy(heard);
    let mut found = Vec::new();
    for request in text.split("POST /v").skip(1) {
        let Some((path, rest)) = request.split_once(" HTTP/1.1\r\n") else {
            continue;
        };
        let Some((_, query)) = path.split_once("/containers/create?") else {
            continue;
        };
        let (headers, body) = rest.split_once("\r\n\r\n").unwrap();
        if !headers
            .to_lowercase()
            .contains("user-agent: agentgate-xtask")
        {
            continue;
        }
        let mut body = serde_json::Deserializer::from_str(body).into_iter();
        let name = query.split('&').find_map(|pair| pair.strip_prefix("name="));
        found.push(Asked {
            name: name.unwrap().to_owned(),
            query: query.to_owned(),
            body: body.next().unwrap().unwrap(),
        });
    }
    found
}

impl Asked {
    /// The folder of the run, which holds what is mounted.
    fn folder(&self) -> String {
        let binds = self.body["HostConfig"]["Binds"].as_array();
        let bind = binds.and_then(|binds| binds.first()?.as_str());
        let folder = bind.and_then(|bind| bind.split(':').next()?.rsplit_once('/'));
        folder.map_or("no folder".to_owned(), |(folder, _)| folder.to_owned())
    }

    /// Makes it once more, and returns what the engine says of it.
    fn make(mut self) -> Value {
        let name = unique_name().replace(['/', ':'], "-");
        if let Some(binds) = self.body["HostConfig"]["Binds"].as_array_mut() {
            for bind in binds {
                *bind = json!(elsewhere(bind.as_str().unwrap()));
            }
        }
        let (query, body) = (self.query.replace(&self.name, &name), self.body.to_string());
        let mut engine = UnixStream::connect(engine()).unwrap();
        let request = format!(
            "POST /v1.51/containers/create?{query} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        engine.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        engine.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
        taken(&name)
    }
}

/// What the engine says of the container that docker's client makes of a command line.
fn made_by(line: &[String]) -> Value {
    let name = unique_name().replace(['/', ':'], "-");
    let mut words = line[1..].to_vec();
    for at in 1..words.len() {
        match words[at - 1].as_str() {
            "--name" => words[at].clone_from(&name),
            "--volume" => words[at] = elsewhere(&words[at]),
            _ => {}
        }
    }
    // One that removes itself cannot be looked at, so it is not started.
    if words.iter().any(|word| word == "--rm") {
        "create".clone_into(&mut words[0]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // It may not start, as where a folder is mounted over a file: it was made.
    docker(&words);
    taken(&name)
}

/// What was mounted is gone: a folder that every machine has stands for it.
fn elsewhere(bind: &str) -> String {
    let (_, target) = bind.split_once(':').unwrap();
    format!("/tmp:{target}")
}

/// A container's settings; then it is removed.
fn taken(name: &str) -> Value {
    let ran = docker(&["inspect", name]).succeeded();
    docker(&["rm", "--force", "--volumes", name]).succeeded();
    let described: Value = serde_json::from_str(&ran.stdout).unwrap();
    let mut described = described[0].clone();
    // docker's client gives variables and binds in no order.
    for list in ["/Config/Env", "/HostConfig/Binds"] {
        if let Some(Value::Array(list)) = described.pointer_mut(list) {
            list.sort_by_key(Value::to_string);
        }
    }
    // It is made of the container's id.
    described["Config"]["Hostname"].take();
    json!({
        "Config": described["Config"],
        "HostConfig": described["HostConfig"],
        "Platform": described["Platform"],
        "Networks": described["NetworkSettings"]["Networks"]
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>(),
    })
}
