//! Secrets in one line: of the history, or a variable of the environment.

use crate::rootfs::secrets_in;

/// What a line of the history gives away; the secret itself is never part of it.
pub(in crate::checks) fn in_step(created_by: &str) -> Vec<String> {
    let kinds = secrets_in(created_by.as_bytes()).into_iter();
    let mut found: Vec<String> = kinds.map(str::to_owned).collect();
    let is_given = |pair: &&str| {
        let pair = pair.split_once('=');
        pair.is_some_and(|(name, value)| is_secret_name(name) && has_content(value))
    };
    let named = given_values(created_by).find(is_given);
    found.extend(named.map(|pair| format!("`{}`", pair.split('=').next().unwrap_or_default())));
    found
}

/// The words `NAME=value` of a step that come from the build's command line or the Dockerfile;
/// assignments within a shell's script may be anything.
fn given_values(created_by: &str) -> impl Iterator<Item = &str> {
    let line = created_by.strip_prefix("/bin/sh -c #(nop)");
    let line = line.unwrap_or(created_by).trim_start();
    let given = if line.starts_with("ARG ") || line.starts_with("ENV ") {
        line
    } else if line.starts_with("RUN |") || line.starts_with('|') {
        line.split("/bin/").next().unwrap_or_default()
    } else {
        ""
    };
    given.split_whitespace()
}

/// What is wrong with a variable of the environment.
pub(super) fn in_pair(pair: &str) -> Option<String> {
    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
    let kinds = secrets_in(pair.as_bytes());
    if !kinds.is_empty() {
        return Some(format!("{} in `{name}`", kinds.join(" and ")));
    }
    let is_named = is_secret_name(name) && has_content(value);
    is_named.then(|| format!("a value in `{name}`"))
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let endings = ["TOKEN", "SECRET", "PASSWORD", "API_KEY", "APIKEY", "_KEY"];
    endings.iter().any(|ending| name.ends_with(ending))
}

fn has_content(value: &str) -> bool {
    !value.trim_matches(['"', '\'', ' ']).is_empty()
}
